#include "waybill/testing/model_store.hpp"

#include <algorithm>

#include "waybill/message_id.hpp"

namespace waybill::testing {
namespace {

Lane lane_of(MessageState state) {
  if (state == MessageState::RETRY) return Lane::due;
  return state == MessageState::SENT ? Lane::overdue : Lane::fresh;
}

bool in_a_lane(MessageState state) {
  return state == MessageState::INIT || state == MessageState::SENT || state == MessageState::RETRY;
}

}  // namespace

class ModelRelaySession final : public RelaySession {
 public:
  explicit ModelRelaySession(ModelStore& store) : store_(store) {}

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
    if (lane == Lane::due)
      types.insert(types.end(), store_.stuck_types_.begin(), store_.stuck_types_.end());
    std::sort(types.begin(), types.end());
    types.erase(std::unique(types.begin(), types.end()), types.end());
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
      bytes += page.rows.emplace_back(store_.rows_.at(place->second)).content.size();
    }
    return page;
  }

  Result<std::vector<KeyBlock>> key_blocks(std::string_view message_type, bool confirmed,
                                           std::uint32_t rows_max) override {
    if (auto error = store_.fails("key_blocks")) return *error;
    const std::lock_guard lock(store_.mutex_);
    std::vector<KeyBlock> blocks;
    for (const auto& [id, row] : store_.rows_) {
      const bool stuck = row.state == MessageState::RETRY || row.state == MessageState::PARKED ||
                         row.state == MessageState::DEAD;
      const bool accepted = row.first_accepted_at.has_value();
      const bool blocks_others =
          confirmed ? stuck || row.state == MessageState::SENT : stuck && !accepted;
      if (row.message_type != message_type || row.key.empty() || !blocks_others) continue;
      if (blocks.size() == rows_max) break;
      blocks.push_back({id, row.key, row.state, row.epoch, accepted});
    }
    return blocks;
  }

  Result<SettledPage> settled(const LaneRead& spec) override {
    if (auto error = store_.fails("settled")) return *error;
    const std::lock_guard lock(store_.mutex_);
    SettledPage page;
    page.last = spec.after;
    page.exhausted = true;
    const auto& lane = store_.lanes_[{spec.lane, std::string(spec.message_type)}];
    std::uint32_t looked_at = 0;
    for (auto place = lane.upper_bound({spec.after.at, spec.after.id}); place != lane.end();
         ++place) {
      page.exhausted = looked_at++ < spec.rows_max;
      if (!page.exhausted) break;
      page.last = {place->first, place->second};
      const MessageRow& row = store_.rows_.at(place->second);
      if (store_.is_settled(row)) page.rows.push_back({row.id, row.state, row.epoch});
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
    for (const Mark& mark : marks) {
      if (is_judgement(mark.cause)) return Error{Remedy::fix_call, "a judgement", {}};
    }
    auto results = apply(marks);
    if (auto error = store_.loses("mark")) return *error;
    return results;
  }

  Result<std::optional<std::vector<Marked>>> judge(const Lease& lease,
                                                   std::span<const Mark> marks) override {
    if (auto error = store_.fails("judge")) return *error;
    const std::lock_guard lock(store_.mutex_);
    if (!is_held_by(lease)) return std::optional<std::vector<Marked>>();
    auto results = apply(marks);
    if (!results) return results.error();
    if (auto error = store_.loses("judge")) return *error;
    return std::optional(std::move(*results));
  }

  Result<LeaseView> lease() override {
    if (auto error = store_.fails("lease")) return *error;
    const std::lock_guard lock(store_.mutex_);
    return store_.lease_;
  }

  Result<std::optional<Lease>> take(const LeaseView& seen, std::string_view holder) override {
    if (auto error = store_.fails("take")) return *error;
    if (holder.empty() || holder.size() > kHolderBytesMax) {
      return Error{Remedy::fix_call, "holder", {}};
    }
    const std::lock_guard lock(store_.mutex_);
    LeaseView& lease = store_.lease_;
    if (lease.fence != seen.fence || lease.counter != seen.counter || lease.holder != seen.holder) {
      return std::optional<Lease>();
    }
    lease = {lease.fence + 1, 0, std::string(holder)};
    if (auto error = store_.loses("take")) return *error;
    return std::optional(Lease{lease.fence, 0, lease.holder});
  }

  Result<std::optional<Lease>> renew(const Lease& lease) override {
    if (auto error = store_.fails("renew")) return *error;
    const std::lock_guard lock(store_.mutex_);
    if (!is_held_by(lease)) return std::optional<Lease>();
    ++store_.lease_.counter;
    if (auto error = store_.loses("renew")) return *error;
    return std::optional(Lease{lease.fence, store_.lease_.counter, lease.holder});
  }

  Status release(const Lease& lease) override {
    if (auto error = store_.fails("release")) return *error;
    const std::lock_guard lock(store_.mutex_);
    if (is_held_by(lease)) store_.lease_.holder.clear();
    return {};
  }

 private:
  [[nodiscard]] bool is_held_by(const Lease& lease) const {
    return lease.fence == store_.lease_.fence && lease.holder == store_.lease_.holder;
  }

  Result<std::vector<Marked>> apply(std::span<const Mark> marks) {
    std::vector<Marked> results;
    for (const Mark& mark : marks) {
      if (!next_state(mark.from, mark.cause)) return Error{Remedy::fix_call, "no arrow", {}};
    }
    for (const Mark& mark : marks) results.push_back(store_.apply(mark));
    return results;
  }

  ModelStore& store_;
};

class ModelConfirmSession final : public ConfirmSession {
 public:
  explicit ModelConfirmSession(ModelStore& store) : store_(store) {}

  Result<std::vector<ConfirmResult>> confirm(std::span<const Confirmation> items) override {
    if (auto error = store_.fails("confirm")) return *error;
    const std::lock_guard lock(store_.mutex_);
    std::vector<ConfirmResult> results;
    for (const Confirmation& item : items) results.push_back(store_.confirm_one(item));
    if (auto error = store_.loses("confirm")) return *error;
    return results;
  }

 private:
  ModelStore& store_;
};

Result<std::unique_ptr<RelaySession>> ModelStore::open_relay() {
  if (auto error = fails("open")) return *error;
  return std::unique_ptr<RelaySession>(std::make_unique<ModelRelaySession>(*this));
}

Result<std::unique_ptr<ConfirmSession>> ModelStore::open_confirm() {
  if (auto error = fails("open")) return *error;
  return std::unique_ptr<ConfirmSession>(std::make_unique<ModelConfirmSession>(*this));
}

Result<std::unique_ptr<ConsoleSession>> ModelStore::open_console() {
  return Error{Remedy::fix_call, "not in memory", {}};
}

Marked ModelStore::apply(const Mark& mark) {
  const auto found = rows_.find(mark.id);
  if (found == rows_.end()) return Marked::gone;
  MessageRow& row = found->second;
  if (row.state != mark.from || row.epoch != mark.epoch) return Marked::already_further;
  const MessageState to = *next_state(mark.from, mark.cause);
  const bool acked = mark.cause == Cause::acked || mark.cause == Cause::acked_unconfirmed;
  const bool refused = mark.cause == Cause::refused || mark.cause == Cause::refused_for_good;
  const MessageRow before = row;
  change(row, [&](MessageRow& changed) {
    if (acked || refused) ++changed.sends;
    if (acked && !changed.first_accepted_at) changed.first_accepted_at = now();
    if (refused) ++changed.refusals;
    if (mark.cause == Cause::replay) {
      ++changed.epoch;
      changed.refusals = 0;
      changed.first_accepted_at.reset();
    }
    changed.state = to;
    changed.gmt_modified = now();
    if (to == MessageState::RETRY) changed.next_attempt_at = now() + mark.due_in;
    if (!mark.reason.empty()) changed.reason = std::string(mark.reason);
  });
  // Types stay on the list: a superset costs nothing here.
  if (to == MessageState::PARKED || to == MessageState::DEAD) stuck_types_.insert(row.message_type);
  if (watch) watch(before, row, mark.cause);
  return Marked::done;
}

ConfirmResult ModelStore::confirm_one(const Confirmation& item) {
  const auto known = ids_by_message_.find(item.message_id);
  const auto found = known == ids_by_message_.end() ? rows_.end() : rows_.find(known->second);
  if (found == rows_.end()) return ConfirmResult::not_found;
  const MessageRow row = found->second;
  const Route* route = find_route(routes_, row.message_type);
  const bool required =
      route != nullptr && std::find(route->consumers.begin(), route->consumers.end(),
                                    item.consumer) != route->consumers.end();
  if (!required) return ConfirmResult::not_found;
  if (!progress_) progress_.emplace();
  auto progress = std::find_if(progress_->begin(), progress_->end(), [&](const auto& one) {
    return one.message_type == row.message_type && one.consumer == item.consumer;
  });
  if (progress == progress_->end()) {
    progress = progress_->insert(progress, {row.message_type, item.consumer, {}, item.retention});
  }
  progress->confirmed_sent = std::max(progress->confirmed_sent, item.sent_at);
  progress->retention = item.retention;

  auto& receipts = receipts_[row.id];
  const auto write = [&](Cause cause, Millis due_in) {
    static_cast<void>(apply({row.id, row.state, cause, row.epoch, due_in, item.reason}));
  };
  if (item.verdict == Verdict::done) {
    Receipt& receipt = receipts[item.consumer];
    receipt.verdict = Verdict::done;
    receipt.epoch = std::max(receipt.epoch, item.epoch);
    const bool complete =
        std::all_of(route->consumers.begin(), route->consumers.end(), [&](const auto& consumer) {
          return receipts.contains(consumer) && receipts[consumer].verdict == Verdict::done;
        });
    if (complete && row.state != MessageState::SUCCESS) write(Cause::confirmed, Millis(0));
    return ConfirmResult::done;
  }
  const bool has_done =
      receipts.contains(item.consumer) && receipts[item.consumer].verdict == Verdict::done;
  if (item.verdict == Verdict::failed) {
    if (item.epoch != row.epoch || has_done || row.state == MessageState::SUCCESS ||
        row.state == MessageState::CANCELLED) {
      return ConfirmResult::already;
    }
    receipts[item.consumer].verdict = Verdict::failed;
    if (row.state != MessageState::DEAD) write(Cause::consumer_failed, Millis(0));
    return ConfirmResult::done;
  }
  if (item.epoch != row.epoch || !next_state(row.state, Cause::consumer_later)) {
    return ConfirmResult::already;
  }
  write(Cause::consumer_later, route->confirm_deadline);
  return ConfirmResult::done;
}

bool ModelStore::is_settled(const MessageRow& row) const {
  const Route* route = find_route(routes_, row.message_type);
  if (route == nullptr) return false;
  if (route->consumers.empty()) {
    return row.state == MessageState::SENT || row.first_accepted_at.has_value();
  }
  const auto receipts = receipts_.find(row.id);
  if (receipts == receipts_.end()) return false;
  return std::all_of(route->consumers.begin(), route->consumers.end(), [&](const auto& consumer) {
    const auto receipt = receipts->second.find(consumer);
    return receipt != receipts->second.end() && receipt->second.verdict == Verdict::done &&
           receipt->second.epoch >= row.epoch;
  });
}

void ModelStore::change(MessageRow& row, const std::function<void(MessageRow&)>& how) {
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

void ModelStore::set_route(Route route) {
  const std::lock_guard lock(mutex_);
  std::erase_if(routes_, [&](const Route& r) { return r.message_type == route.message_type; });
  route.version = ++version_;
  routes_.push_back(std::move(route));
}

std::int64_t ModelStore::insert(const NewRow& wanted) {
  const std::lock_guard lock(mutex_);
  const std::int64_t id = wanted.id == 0 ? last_id_ + 1 : wanted.id;
  last_id_ = std::max(last_id_, id);
  MessageRow row;
  row.id = id;
  row.message_type = wanted.type;
  row.biz_type = "test";
  row.identifier = "m" + std::to_string(id);
  row.key = wanted.key;
  row.content = "content of " + std::to_string(id);
  row.gmt_create = row.gmt_modified = now();
  ids_by_message_[MessageId{row.biz_type, row.message_type, row.identifier}.to_string()] = id;
  if (wanted.visible) {
    change(rows_[id] = std::move(row), [](MessageRow&) {});
  } else {
    open_[id] = std::move(row);
  }
  return id;
}

void ModelStore::commit(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  change(rows_[id] = std::move(open_.at(id)), [](MessageRow&) {});
  open_.erase(id);
}

void ModelStore::roll_back(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  open_.erase(id);
}

Marked ModelStore::act(std::int64_t id, Cause cause) {
  const std::lock_guard lock(mutex_);
  const MessageRow& row = rows_.at(id);
  if (!next_state(row.state, cause)) return Marked::already_further;
  return apply({id, row.state, cause, row.epoch, Millis(0), "an operator"});
}

void ModelStore::confirm(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  const MessageRow& row = rows_.at(id);
  if (!next_state(row.state, Cause::confirmed)) return;
  static_cast<void>(apply({id, row.state, Cause::confirmed, row.epoch, Millis(0), {}}));
}

void ModelStore::add_receipt(std::int64_t id, const std::string& consumer) {
  const std::lock_guard lock(mutex_);
  receipts_[id][consumer] = {consumer, Verdict::done, rows_.at(id).epoch, {}, now()};
}

void ModelStore::set_state(std::int64_t id, MessageState state) {
  const std::lock_guard lock(mutex_);
  change(rows_.at(id), [&](MessageRow& row) { row.state = state; });
}

void ModelStore::set_defect(std::int64_t id, std::string defect) {
  const std::lock_guard lock(mutex_);
  rows_.at(id).defect = std::move(defect);
}

MessageRow ModelStore::row(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return rows_.at(id);
}

bool ModelStore::is_settled(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  return is_settled(rows_.at(id));
}

std::size_t ModelStore::count(MessageState state) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      rows_.begin(), rows_.end(), [&](const auto& row) { return row.second.state == state; }));
}

std::vector<std::int64_t> ModelStore::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t> ids;
  for (const auto& [id, row] : rows_) ids.push_back(id);
  return ids;
}

LeaseView ModelStore::lease_view() const {
  const std::lock_guard lock(mutex_);
  return lease_;
}

void ModelStore::set_lease(LeaseView lease) {
  const std::lock_guard lock(mutex_);
  lease_ = std::move(lease);
}

void ModelStore::set_progress(std::optional<std::vector<ConsumerProgress>> progress) {
  const std::lock_guard lock(mutex_);
  progress_ = std::move(progress);
}

DatabaseTime ModelStore::now() const {
  using std::chrono::microseconds;
  const auto steady = clock_.now().time_since_epoch();
  return DatabaseTime(std::chrono::duration_cast<microseconds>(steady)) + std::chrono::days(20000) +
         ahead_.load();
}

}  // namespace waybill::testing
