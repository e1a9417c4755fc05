// A scratch SQLite database with the producer's and the consumer's tables, and who speaks to it.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "waybill/confirm/endpoint.hpp"
#include "waybill/stores/sqlite.hpp"
#include "waybill/testing/scratch_folder.hpp"

namespace waybill::confirm::testing {

// The time of every signature and endpoint here.
inline constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

// The id of a message that Shop::add wrote.
[[nodiscard]] std::string id_of(const std::string& identifier);

[[nodiscard]] Key key_of(const std::string& consumer, const std::string& id);
[[nodiscard]] KeyRing ring_of(std::vector<Key> keys);

// A confirmation of a message that Shop::add wrote.
[[nodiscard]] Confirmation item(const std::string& identifier,
                                const std::string& consumer = "points",
                                Verdict verdict = Verdict::done, std::uint32_t epoch = 0);

// As consumer `key.consumer` sends it.
[[nodiscard]] Request signed_request(const std::string& body, const Key& key, WallTime at = kNow);
[[nodiscard]] Request signed_request(const std::vector<Confirmation>& items, const Key& key,
                                     WallTime at = kNow);

// Throws std::runtime_error, as everything here.
class Shop {
 public:
  explicit Shop(const std::vector<std::string>& required_consumers = {"points"});
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;

  [[nodiscard]] MessageStore& store() { return *store_; }
  [[nodiscard]] InboxStore& inbox() { return *inbox_; }

  // Writes a message in state INIT.
  void add(const std::string& identifier);
  [[nodiscard]] std::string state_of(const std::string& identifier);
  [[nodiscard]] std::int64_t count(const std::string& from_where);
  // replay or cancelled, as an operator.
  void act(const std::string& identifier, Cause cause);

  // An inbox row of consumer "points" that waits for its confirmation.
  void consume(const std::string& message_id, Verdict verdict = Verdict::done,
               const std::string& reason = {});

  // The first column.
  std::vector<std::string> query(const std::string& sql);

 private:
  waybill::testing::ScratchFolder folder_;
  sqlite::Options options_;
  std::unique_ptr<MessageStore> store_;
  std::unique_ptr<InboxStore> inbox_;
};

// Counts what is opened, and refuses or throws while told so.
class WatchedStore final : public MessageStore {
 public:
  explicit WatchedStore(MessageStore& store) : store_(store) {}
  [[nodiscard]] Dialect dialect() const noexcept override { return store_.dialect(); }
  [[nodiscard]] Result<std::unique_ptr<RelaySession>> open_relay() override {
    return store_.open_relay();
  }
  [[nodiscard]] Result<std::unique_ptr<ConsoleSession>> open_console() override {
    return store_.open_console();
  }
  [[nodiscard]] Result<std::unique_ptr<ConfirmSession>> open_confirm() override {
    ++opened;
    if (throws) throw std::runtime_error("the store throws");
    if (is_down) return Error{Remedy::retry, "the database is down", {}};
    return store_.open_confirm();
  }

  std::atomic<int> opened = 0;
  std::atomic<bool> is_down = false;
  std::atomic<bool> throws = false;

 private:
  MessageStore& store_;
};

}  // namespace waybill::confirm::testing
