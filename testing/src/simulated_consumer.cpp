#include "simulated_consumer.hpp"

#include <algorithm>

namespace waybill::testing {

bool SimulatedConsumer::handle_one(const SimulatedBroker& broker, Crash crash) {
  for (std::size_t i = 0; i < destinations_.size(); ++i) {
    const std::string& destination = destinations_[(turn_ + i) % destinations_.size()];
    std::uint64_t& cursor = cursors_[destination];
    const Copy* copy = broker.read(destination, cursor);
    if (copy == nullptr) continue;
    turn_ += i + 1;
    if (crash == Crash::before_commit) return true;
    handle(*copy);
    if (crash != Crash::before_settle) ++cursor;
    return true;
  }
  return false;
}

void SimulatedConsumer::handle(const Copy& copy) {
  const auto known = database_.inbox.find(copy.message_id);
  if (known != database_.inbox.end()) {
    InboxRow& row = known->second;
    const bool anew = row.verdict == Verdict::failed && copy.epoch > row.epoch;
    if (!anew) {
      // A duplicate: no effect, confirmed again.
      row.epoch = std::max(row.epoch, copy.epoch);
      row.sent_at = std::max(row.sent_at, copy.sent_at);
      row.is_confirmed = false;
      database_.unconfirmed.insert(copy.message_id);
      return;
    }
  }
  const Verdict verdict = fails && fails(copy) ? Verdict::failed : Verdict::done;
  if (verdict == Verdict::done) ++database_.effects[copy.message_id];
  database_.inbox[copy.message_id] = {copy.epoch, verdict, copy.sent_at, false};
  database_.unconfirmed.insert(copy.message_id);
  if (recorded) recorded(copy, verdict);
}

std::vector<Confirmation> SimulatedConsumer::pending(std::size_t count) const {
  std::vector<Confirmation> items;
  for (const std::string& id : database_.unconfirmed) {
    if (items.size() == count) break;
    const InboxRow& row = database_.inbox.at(id);
    Confirmation item;
    item.message_id = id;
    item.consumer = name_;
    item.verdict = row.verdict;
    item.reason = row.verdict == Verdict::failed ? "a business rule" : "";
    item.epoch = row.epoch;
    item.sent_at = row.sent_at;
    items.push_back(std::move(item));
  }
  return items;
}

void SimulatedConsumer::confirmed(const std::vector<Confirmation>& items) {
  for (const Confirmation& item : items) {
    const auto found = database_.inbox.find(item.message_id);
    if (found == database_.inbox.end()) continue;
    InboxRow& row = found->second;
    // A duplicate that came meanwhile is confirmed on its own.
    if (row.epoch != item.epoch || row.verdict != item.verdict || row.sent_at != item.sent_at) {
      continue;
    }
    row.is_confirmed = true;
    database_.unconfirmed.erase(item.message_id);
  }
}

int SimulatedConsumer::effects(const std::string& message_id) const {
  const auto found = database_.effects.find(message_id);
  return found == database_.effects.end() ? 0 : found->second;
}

std::uint64_t SimulatedConsumer::effects_total() const {
  std::uint64_t total = 0;
  for (const auto& [id, count] : database_.effects) total += static_cast<std::uint64_t>(count);
  return total;
}

}  // namespace waybill::testing
