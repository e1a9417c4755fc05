#include "memory_store.hpp"

#include <algorithm>

namespace waybill::relay::testing {
namespace {

Lane lane_of(MessageState state) {
  if (state == MessageState::RETRY) return Lane::due;
  return state == MessageState::SENT ? Lane::overdue : Lane::fresh;
}

bool in_a_lane(MessageState state) {
  return state == MessageState::INIT || state == MessageState::SENT || state == MessageState::RETRY;
}

}  // namespace

class MemorySession final : public RelaySession {
 public:
  explicit MemorySession(MemoryStore& store) : store_(store) {}

  Result<std::vector<Route>> routes() override {
    if (auto error = store_.fails("routes")) return *error;
    const std::lock_guard lock(store_.mutex_);
    return store_.routes_;
  }

  Result<std::int64_t> routes_version() override {
    if (auto error = store_.fails("routes_version")) return *error;
    const std::lock_guard lock(store_.mutex_);
    return store_.version_;
  }

  Result<std::vector<std::string>> types_present(Lane lane) override {
    if (auto error = store_.fails("types_present")) return *error;
    const std::lock_guard lock(store_.mutex_);
    std::vector<std::string> types;
    for (const auto& [name, places] : store_.lanes_) {
      if (name.first == lane && !places.empty()) types.push_back(name.second);
    }
    return types;
  }

  Result<LanePage> read(const LaneRead& spec) override {
    if (auto error = store_.fails("read")) return *error;
    const std::lock_guard lock(store_.mutex_);
    LanePage page;
    page.now = store_.now();
    const auto& lane = store_.lanes_[{spec.lane, std::string(spec.message_type)}];
    std::size_t bytes = 0;
    page.exhausted = true;
    for (auto place = lane.upper_bound({spec.after.at, spec.after.id}); place != lane.end();
         ++place) {
      if (spec.lane == Lane::overdue && place->first > page.now - spec.overdue_after) break;
      if (spec.lane == Lane::due && place->first > page.now) break;
      if (page.rows.size() == spec.rows_max || (bytes >= spec.bytes_max && !page.rows.empty())) {
        page.exhausted = false;
        break;
      }
      const MessageRow& row = page.rows.emplace_back(store_.rows_.at(place->second));
      bytes += row.content.size();
      if (row.state == MessageState::SENT) {
        page.rows.back().first_accepted_at = row.gmt_modified;
        page.rows.back().sends = 1;
      }
    }
    return page;
  }

  Result<std::optional<std::vector<ConsumerProgress>>> consumer_progress() override {
    const std::lock_guard lock(store_.mutex_);
    return store_.progress_;
  }

  Result<std::vector<Marked>> mark(std::span<const Mark> marks) override {
    if (auto error = store_.fails("mark")) return *error;
    const std::lock_guard lock(store_.mutex_);
    std::vector<Marked> results;
    for (const Mark& mark : marks) {
      if (is_judgement(mark.cause)) return Error{Remedy::fix_call, "a judgement", {}};
      if (!next_state(mark.from, mark.cause)) return Error{Remedy::fix_call, "no arrow", {}};
      results.push_back(store_.apply(mark));
    }
    return results;
  }

  Result<std::optional<std::vector<Marked>>> judge(const Lease& lease,
                                                   std::span<const Mark> marks) override {
    if (auto error = store_.fails("judge")) return *error;
    const std::lock_guard lock(store_.mutex_);
    if (lease.fence != store_.lease_.fence || store_.lease_.holder.empty()) {
      return std::optional<std::vector<Marked>>();
    }
    std::vector<Marked> results;
    for (const Mark& mark : marks) {
      if (!next_state(mark.from, mark.cause)) return Error{Remedy::fix_call, "no arrow", {}};
      results.push_back(store_.apply(mark));
    }
    return std::optional(std::move(results));
  }

  Result<LeaseView> lease() override {
    if (auto error = store_.fails("lease")) return *error;
    const std::lock_guard lock(store_.mutex_);
    return store_.lease_;
  }

  Result<std::optional<Lease>> take(const LeaseView& seen, std::string_view holder) override {
    if (auto error = store_.fails("take")) return *error;
    const std::lock_guard lock(store_.mutex_);
    LeaseView& lease = store_.lease_;
    if (lease.fence != seen.fence || lease.counter != seen.counter || lease.holder != seen.holder) {
      return std::optional<Lease>();
    }
    lease = {lease.fence + 1, 0, std::string(holder)};
    return std::optional(Lease{lease.fence, 0});
  }

  Result<std::optional<Lease>> renew(const Lease& lease) override {
    if (auto error = store_.fails("renew")) return *error;
    const std::lock_guard lock(store_.mutex_);
    if (lease.fence != store_.lease_.fence || store_.lease_.holder.empty()) {
      return std::optional<Lease>();
    }
    return std::optional(Lease{lease.fence, ++store_.lease_.counter});
  }

  Status release(const Lease& lease) override {
    if (auto error = store_.fails("release")) return *error;
    const std::lock_guard lock(store_.mutex_);
    if (lease.fence == store_.lease_.fence) {
      store_.lease_.holder.clear();
      ++store_.lease_.counter;
    }
    return {};
  }

 private:
  MemoryStore& store_;
};

Result<std::unique_ptr<RelaySession>> MemoryStore::open_relay() {
  if (auto error = fails("open")) return *error;
  return std::unique_ptr<RelaySession>(std::make_unique<MemorySession>(*this));
}

Result<std::unique_ptr<ConfirmSession>> MemoryStore::open_confirm() {
  return Error{Remedy::fix_call, "not in memory", {}};
}

Result<std::unique_ptr<ConsoleSession>> MemoryStore::open_console() {
  return Error{Remedy::fix_call, "not in memory", {}};
}

Marked MemoryStore::apply(const Mark& mark) {
  const auto found = rows_.find(mark.id);
  if (found == rows_.end()) return Marked::gone;
  MessageRow& row = found->second;
  if (row.state != mark.from || row.epoch != mark.epoch) return Marked::already_further;
  const MessageState to = *next_state(mark.from, mark.cause);
  const bool acked = mark.cause == Cause::acked || mark.cause == Cause::acked_unconfirmed;
  const bool refused = mark.cause == Cause::refused || mark.cause == Cause::refused_for_good;
  change(row, [&](MessageRow& changed) {
    if (changed.state == MessageState::SENT) {
      changed.first_accepted_at = changed.gmt_modified;
      changed.sends = 1;
    }
    const bool happy = changed.state == MessageState::INIT && to != MessageState::RETRY;
    if (!happy && (acked || refused)) ++changed.sends;
    if (!happy && acked && !changed.first_accepted_at) changed.first_accepted_at = now();
    if (refused) ++changed.refusals;
    changed.state = to;
    changed.gmt_modified = now();
    if (to == MessageState::RETRY) changed.next_attempt_at = now() + mark.due_in;
    changed.reason = std::string(mark.reason);
  });
  return Marked::done;
}

void MemoryStore::change(MessageRow& row, const std::function<void(MessageRow&)>& how) {
  const auto place = [&] {
    DatabaseTime at{};
    if (row.state == MessageState::SENT) at = row.gmt_modified;
    if (row.state == MessageState::RETRY) at = row.next_attempt_at;
    return LanePlace(at, row.id);
  };
  if (in_a_lane(row.state)) lanes_[{lane_of(row.state), row.message_type}].erase(place());
  how(row);
  if (in_a_lane(row.state)) lanes_[{lane_of(row.state), row.message_type}].insert(place());
}

void MemoryStore::set_route(Route route) {
  const std::lock_guard lock(mutex_);
  std::erase_if(routes_, [&](const Route& r) { return r.message_type == route.message_type; });
  route.version = ++version_;
  routes_.push_back(std::move(route));
}

std::int64_t MemoryStore::insert(std::string_view type, std::string_view key, std::int64_t id) {
  const std::lock_guard lock(mutex_);
  if (id == 0) id = last_id_ + 1;
  last_id_ = std::max(last_id_, id);
  MessageRow row;
  row.id = id;
  row.message_type = std::string(type);
  row.biz_type = "test";
  row.identifier = "m" + std::to_string(id);
  row.key = std::string(key);
  row.content = "content of " + std::to_string(id);
  row.gmt_create = row.gmt_modified = now();
  change(rows_[id] = std::move(row), [](MessageRow&) {});
  return id;
}

void MemoryStore::confirm(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  MessageRow& row = rows_.at(id);
  const auto to = next_state(row.state, Cause::confirmed);
  if (!to) return;
  change(row, [&](MessageRow& changed) {
    changed.state = *to;
    changed.gmt_modified = now();
  });
}

void MemoryStore::set_state(std::int64_t id, MessageState state) {
  const std::lock_guard lock(mutex_);
  change(rows_.at(id), [&](MessageRow& row) { row.state = state; });
}

void MemoryStore::set_defect(std::int64_t id, std::string defect) {
  const std::lock_guard lock(mutex_);
  rows_.at(id).defect = std::move(defect);
}

MessageRow MemoryStore::row(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return rows_.at(id);
}

MessageState MemoryStore::state(std::int64_t id) const {
  return row(id).state;
}

std::size_t MemoryStore::count(MessageState state) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      rows_.begin(), rows_.end(), [&](const auto& row) { return row.second.state == state; }));
}

LeaseView MemoryStore::lease_view() const {
  const std::lock_guard lock(mutex_);
  return lease_;
}

void MemoryStore::set_lease(LeaseView lease) {
  const std::lock_guard lock(mutex_);
  lease_ = std::move(lease);
}

void MemoryStore::set_progress(std::optional<std::vector<ConsumerProgress>> progress) {
  const std::lock_guard lock(mutex_);
  progress_ = std::move(progress);
}

DatabaseTime MemoryStore::now() const {
  using std::chrono::microseconds;
  const auto steady = clock_.now().time_since_epoch();
  return DatabaseTime(std::chrono::duration_cast<microseconds>(steady)) + std::chrono::days(20000);
}

}  // namespace waybill::relay::testing
