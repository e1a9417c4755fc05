// The conformance suite of stores on a database server: what they make of sessions that end,
// answers that are lost, rows that others hold, and a server that was killed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "waybill/testing/store_conformance.hpp"

namespace waybill::testing {

// The server of a fresh database, as its administrator and other clients see it. All members throw
// on trouble.
class StoreServer {
 public:
  virtual ~StoreServer() = default;
  [[nodiscard]] virtual StoreFixture& database() = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;  // on 127.0.0.1
  // The database through 127.0.0.1:port. The longest wait for a row is half of that for an answer.
  [[nodiscard]] virtual std::unique_ptr<MessageStore> open_store(std::uint16_t port,
                                                                 Millis answer_timeout) = 0;
  // Runs SQL in a second session of another client, whose transaction may stay open.
  virtual void execute_beside(const std::string& sql) = 0;
  virtual void end_sessions() = 0;  // the store's
  // The store's statements: all that run, and those of them that wait for a row.
  [[nodiscard]] virtual int running_statements() = 0;
  [[nodiscard]] virtual int waiting_statements() = 0;
  // What the database calls the end of such a wait.
  [[nodiscard]] virtual std::string lock_timeout_code() const = 0;
  // A text in the request that ends the transaction of a plain mark.
  [[nodiscard]] virtual std::string end_of_mark() const = 0;
  // From now on an UPDATE of local_message takes longer than any time-out.
  virtual void make_updates_slow() = 0;
  // A transaction that asks for nothing else reads to its end what it read first, if its session is
  // opened from now on.
  virtual void make_reads_repeatable() = 0;
  // Of a server of its own. SIGKILL; start() returns when the server is ready, on the same port.
  virtual void kill() = 0;
  virtual void start() = 0;
};

struct StoreServerUnderTest {
  std::string name;
  std::function<std::unique_ptr<StoreServer>()> make;
  std::function<std::unique_ptr<StoreServer>()> make_own;  // on a server of its own

  friend void PrintTo(const StoreServerUnderTest& tested, std::ostream* out) {
    *out << tested.name;
  }
};

// The tests, linked as objects; an adapter instantiates them:
//
//   INSTANTIATE_TEST_SUITE_P(Mine, ServerStoreConformance,
//                            ::testing::Values(StoreServerUnderTest{"mine", make, make_own}),
//                            [](const auto& tested) { return tested.param.name; });
class ServerStoreConformance : public ::testing::TestWithParam<StoreServerUnderTest> {};

}  // namespace waybill::testing
