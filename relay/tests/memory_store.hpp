// A message table in memory, with the faults that tests want.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "waybill/message_store.hpp"

namespace waybill::relay::testing {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Steady now() const noexcept override { return now_; }
  void advance(Steady::duration by) { now_ += by; }
  void set(Steady to) { now_ = to; }

 private:
  Steady now_ = Steady{} + std::chrono::hours(1000);
};

// The database's clock is the steady clock that it gets, counted from some day in 2025.
class MemoryStore final : public MessageStore {
 public:
  explicit MemoryStore(const Clock& clock) : clock_(clock) {}

  [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
  [[nodiscard]] Result<std::unique_ptr<RelaySession>> open_relay() override;
  [[nodiscard]] Result<std::unique_ptr<ConfirmSession>> open_confirm() override;
  [[nodiscard]] Result<std::unique_ptr<ConsoleSession>> open_console() override;

  void set_route(Route route);
  std::int64_t insert(std::string_view type, std::string_view key = {}, std::int64_t id = 0);
  void confirm(std::int64_t id);
  void set_state(std::int64_t id, MessageState state);
  void set_defect(std::int64_t id, std::string defect);

  [[nodiscard]] MessageRow row(std::int64_t id) const;
  [[nodiscard]] MessageState state(std::int64_t id) const;
  [[nodiscard]] std::size_t count(MessageState state) const;
  [[nodiscard]] LeaseView lease_view() const;
  void set_lease(LeaseView lease);
  void set_progress(std::optional<std::vector<ConsumerProgress>> progress);
  [[nodiscard]] DatabaseTime now() const;

  // Called before each call with its name; an error is its answer. Under no lock.
  std::function<std::optional<Error>(std::string_view call)> fault;

 private:
  friend class MemorySession;
  std::optional<Error> fails(std::string_view call) { return fault ? fault(call) : std::nullopt; }
  Marked apply(const Mark& mark);

  const Clock& clock_;
  mutable std::mutex mutex_;
  using LaneName = std::pair<Lane, std::string>;
  using LanePlace = std::pair<DatabaseTime, std::int64_t>;
  // Takes the row out of its lane, changes it, and puts it into the lane of its new state.
  void change(MessageRow& row, const std::function<void(MessageRow&)>& how);

  std::map<std::int64_t, MessageRow> rows_;
  std::map<LaneName, std::set<LanePlace>> lanes_;
  std::vector<Route> routes_;
  std::int64_t version_ = 0;
  std::int64_t last_id_ = 0;
  LeaseView lease_;
  std::optional<std::vector<ConsumerProgress>> progress_;
};

}  // namespace waybill::relay::testing
