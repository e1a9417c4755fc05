// A message table in memory, on a clock that tests step, with the faults that they want.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "waybill/message_store.hpp"

namespace waybill::testing {

class ModelClock final : public Clock {
 public:
  [[nodiscard]] Steady now() const noexcept override { return now_; }
  void advance(Steady::duration by) { now_ += by; }
  void set(Steady to) { now_ = to; }

 private:
  Steady now_ = Steady{} + std::chrono::hours(1000);
};

// A row as a user's INSERT makes it.
struct NewRow {
  std::string type;
  std::string key = {};
  std::int64_t id = 0;  // 0 = the next one
  bool visible = true;  // false: its transaction is still open, see commit()
};

// The same rules as a real store: arrows by compare-and-set, judgements under the fence,
// confirmations with receipts. The database's clock is the steady clock that it gets, counted from
// some day in 2024, unless it is made to jump.
// **Thread safety**: sessions may be used from several threads.
class ModelStore final : public MessageStore {
 public:
  explicit ModelStore(const Clock& clock) : clock_(clock) {}

  [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
  [[nodiscard]] Result<std::unique_ptr<RelaySession>> open_relay() override;
  [[nodiscard]] Result<std::unique_ptr<ConfirmSession>> open_confirm() override;
  [[nodiscard]] Result<std::unique_ptr<ConsoleSession>> open_console() override;  // fix_call

  void set_route(Route route);
  std::int64_t insert(const NewRow& row);
  std::int64_t insert(std::string_view type, std::string_view key = {}, std::int64_t id = 0) {
    return insert({std::string(type), std::string(key), id, true});
  }
  // Ends the open transaction of a row that was inserted invisible.
  void commit(std::int64_t id);
  void roll_back(std::int64_t id);

  // What an operator does: cancelled, resend or replay, when the row's state allows it.
  Marked act(std::int64_t id, Cause cause);
  // As if its only consumer had confirmed it.
  void confirm(std::int64_t id);
  // A receipt by a transaction that saw an older route, and so left the row as it is.
  void add_receipt(std::int64_t id, const std::string& consumer);
  void set_state(std::int64_t id, MessageState state);
  void set_defect(std::int64_t id, std::string defect);

  [[nodiscard]] MessageRow row(std::int64_t id) const;
  [[nodiscard]] MessageState state(std::int64_t id) const { return row(id).state; }
  // Nobody has to confirm it any more.
  [[nodiscard]] bool is_settled(std::int64_t id) const;
  [[nodiscard]] std::size_t count(MessageState state) const;
  [[nodiscard]] std::vector<std::int64_t> ids() const;  // of the visible rows
  [[nodiscard]] LeaseView lease_view() const;
  void set_lease(LeaseView lease);
  // Replaces what confirmations have recorded; nothing = this store keeps no such record.
  void set_progress(std::optional<std::vector<ConsumerProgress>> progress);
  [[nodiscard]] DatabaseTime now() const;
  // The database's clock jumps ahead, or back.
  void jump(std::chrono::microseconds by) { ahead_ = ahead_.load() + by; }

  // Called before each call with its name; an error is its answer, and nothing happens. Under no
  // lock.
  std::function<std::optional<Error>(std::string_view call)> fault;
  // Called after each call that changed something; an error is its answer all the same.
  std::function<std::optional<Error>(std::string_view call)> lost_answer;
  // Called for each change of a row's state, under the lock.
  std::function<void(const MessageRow& before, const MessageRow& after, Cause cause)> watch;

 private:
  friend class ModelRelaySession;
  friend class ModelConfirmSession;
  using LaneName = std::pair<Lane, std::string>;
  using LanePlace = std::pair<DatabaseTime, std::int64_t>;

  std::optional<Error> fails(std::string_view call) { return fault ? fault(call) : std::nullopt; }
  std::optional<Error> loses(std::string_view call) {
    return lost_answer ? lost_answer(call) : std::nullopt;
  }
  Marked apply(const Mark& mark);
  ConfirmResult confirm_one(const Confirmation& item);
  [[nodiscard]] bool is_settled(const MessageRow& row) const;
  // Takes the row out of its lane, changes it, and puts it into the lane of its new state.
  void change(MessageRow& row, const std::function<void(MessageRow&)>& how);

  const Clock& clock_;
  std::atomic<std::chrono::microseconds> ahead_{std::chrono::microseconds(0)};
  mutable std::mutex mutex_;
  std::map<std::int64_t, MessageRow> rows_;  // visible ones
  std::map<std::int64_t, MessageRow> open_;  // of open transactions
  std::map<std::string, std::int64_t> ids_by_message_;
  std::map<LaneName, std::set<LanePlace>> lanes_;
  std::map<std::int64_t, std::map<std::string, Receipt>> receipts_;
  std::set<std::string> stuck_types_;  // of rows that are or were PARKED or DEAD
  std::vector<Route> routes_;
  std::int64_t version_ = 0;
  std::int64_t last_id_ = 0;
  LeaseView lease_;
  std::optional<std::vector<ConsumerProgress>> progress_;
};

}  // namespace waybill::testing
