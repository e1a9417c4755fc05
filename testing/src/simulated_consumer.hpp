// A consumer with its database: an inbox, effects, and confirmations that wait to be sent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulated_broker.hpp"
#include "waybill/confirmation.hpp"

namespace waybill::testing {

class SimulatedConsumer {
 public:
  SimulatedConsumer(std::string name, std::vector<std::string> destinations)
      : name_(std::move(name)), destinations_(std::move(destinations)) {}

  // True: the message breaks a business rule of this consumer (in its first epoch).
  std::function<bool(const Copy& copy)> fails;
  // Called for each effect and each verdict that is recorded.
  std::function<void(const Copy& copy, Verdict verdict)> recorded;

  enum class Crash { none, before_commit, before_settle };
  // Handles at most one copy; false when there was none. A crash ends it at that place.
  bool handle_one(const SimulatedBroker& broker, Crash crash);

  // Confirmations that wait, at most `count`.
  [[nodiscard]] std::vector<Confirmation> pending(std::size_t count) const;
  // The producer answered for these.
  void confirmed(const std::vector<Confirmation>& items);

  // Its database goes back to what remember() saw; the broker's cursors do not.
  void remember() { backup_ = database_; }
  void restore() { database_ = backup_; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int effects(const std::string& message_id) const;
  [[nodiscard]] std::uint64_t effects_total() const;

 private:
  struct InboxRow {
    std::uint32_t epoch = 0;
    Verdict verdict = Verdict::done;
    DatabaseTime sent_at{};
    bool is_confirmed = false;
  };
  struct Database {
    std::map<std::string, InboxRow> inbox;
    std::map<std::string, int> effects;
    std::set<std::string> unconfirmed;
  };

  void handle(const Copy& copy);

  const std::string name_;
  const std::vector<std::string> destinations_;
  std::map<std::string, std::uint64_t> cursors_;
  Database database_;
  Database backup_;
  std::size_t turn_ = 0;
};

}  // namespace waybill::testing
