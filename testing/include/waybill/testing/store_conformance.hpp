// The conformance suite of stores: what MessageStore and InboxStore mean, as tests that every
// database must pass.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"

namespace waybill::testing {

// A fresh, empty database of one kind, with waybill's producer and consumer schema.
// Its message table is called local_message. All members throw on trouble.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  [[nodiscard]] virtual std::unique_ptr<MessageStore> open_store() = 0;
  [[nodiscard]] virtual std::unique_ptr<InboxStore> open_inbox() = 0;
  // Runs SQL that every dialect understands, as another client would, and commits.
  virtual void execute(const std::string& sql) = 0;
  // The first column of every row, as text.
  [[nodiscard]] virtual std::vector<std::string> query(const std::string& sql) = 0;
  // Replaces the message table by one with exactly the eight columns and nothing else.
  virtual void make_eight_column_table() = 0;
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<StoreFixture>()> make;

  friend void PrintTo(const StoreUnderTest& tested, std::ostream* out) { *out << tested.name; }
};

// Instantiate it once per store:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, ::testing::Values(StoreUnderTest{"sqlite",
//   make}));
class StoreConformance : public ::testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override;

  // Adds a row by plain SQL and answers its id.
  std::int64_t insert(const std::string& identifier, const std::string& content = "{}",
                      const std::string& message_type = "order.placed");
  [[nodiscard]] std::string state_of(std::int64_t id);
  [[nodiscard]] std::uint32_t epoch_of(std::int64_t id);
  void set_route(std::vector<std::string> consumers,
                 const std::string& message_type = "order.placed");
  void use_eight_column_table();
  // A row with these biz_type, identifier and content, in SQL.
  void insert_old(const std::string& values, const std::string& state);
  // Brings a fresh row into `state` by legal arrows.
  std::int64_t row_in(MessageState state);
  [[nodiscard]] Marked change(std::int64_t id, MessageState from, Cause cause,
                              Millis due_in = Millis(0));
  [[nodiscard]] Lease take_lease();
  [[nodiscard]] ConfirmResult confirm(const std::string& identifier, const std::string& consumer,
                                      Verdict verdict, std::uint32_t epoch = 0);
  [[nodiscard]] LanePage read(Lane lane, LaneCursor after = {}, std::uint32_t rows_max = 100);

  using Settled = std::map<std::int64_t, MessageState>;
  [[nodiscard]] Settled settled(Lane lane, const std::string& message_type = "order.placed");

  std::unique_ptr<StoreFixture> database_;
  std::unique_ptr<MessageStore> store_;
  std::unique_ptr<RelaySession> relay_;
  std::unique_ptr<ConfirmSession> endpoint_;
  std::unique_ptr<ConsoleSession> console_;
  Lease lease_;
  std::string next_headers_;  // of rows that insert() adds; empty: none
  int rows_ = 0;
};

}  // namespace waybill::testing
