#include "waybill/testing/engine_bench.hpp"

#include <algorithm>
#include <functional>

namespace waybill::testing {
using namespace relay;
namespace {

std::uint32_t number_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::uint32_t>(found - names.begin());
  names.push_back(name);
  return static_cast<std::uint32_t>(names.size() - 1);
}

std::uint64_t hash_of(const std::string& key) {
  return key.empty() ? 0 : std::hash<std::string>()(key) | 1U;
}

RowHead head_of(const MessageRow& row) {
  RowHead head;
  head.id = row.id;
  head.from = row.state;
  head.at = row.state == MessageState::RETRY ? row.next_attempt_at : row.gmt_modified;
  head.modified = row.gmt_modified;
  head.accepted_at = row.first_accepted_at;
  head.key_hash = hash_of(row.key);
  head.bytes = row.content.size();
  head.epoch = row.epoch;
  head.sends = row.sends;
  head.refusals = row.refusals;
  head.defect = !row.defect.empty();
  return head;
}

}  // namespace

EngineBench::EngineBench(ModelClock& clock, ModelStore& store, BenchOptions options, Mode mode)
    : clock_(clock),
      store_(store),
      options_(std::move(options)),
      engine_(options_.engine, options_.seed, mode),
      session_(std::move(*store.open_relay())),
      random_(options_.seed) {
  later(Millis(0), [this] { give(Tick{}); });
}

void EngineBench::later(Steady::duration delay, std::function<void()> what) {
  queue_.emplace(clock_.now() + delay, std::move(what));
}

Steady EngineBench::next_at() const {
  if (dead_) return Steady::max();
  const Steady queued = queue_.empty() ? Steady::max() : queue_.begin()->first;
  return std::max({clock_.now(), paused_until_, std::min(queued, engine_.wake_at())});
}

Millis EngineBench::some_time(Millis least, Millis jitter) {
  if (jitter <= Millis(0)) return least;
  return least + Millis(random_() % static_cast<std::uint64_t>(jitter.count() + 1));
}

void EngineBench::step() {
  if (!queue_.empty() && queue_.begin()->first <= clock_.now()) {
    const auto what = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    what();
  } else {
    give(Tick{});
  }
}

void EngineBench::run_until(Steady end) {
  while (next_at() <= end) {
    const Steady before = clock_.now();
    clock_.set(next_at());
    step();
    // An engine that wants to be woken at once, again and again, would stop the clock.
    idle_steps_ = clock_.now() == before ? idle_steps_ + 1 : 0;
    if (idle_steps_ > 100'000) {
      broke("the engine spins");
      break;
    }
  }
  clock_.set(end);
}

bool EngineBench::run_while(const std::function<bool()>& condition, Steady::duration time) {
  const Steady end = clock_.now() + time;
  while (condition()) {
    if (clock_.now() >= end) return false;
    run_until(std::min(end, std::max(next_at(), clock_.now() + Millis(1))));
  }
  return true;
}

void EngineBench::give(const Event& event) {
  if (dead_) return;
  engine_.handle(event, clock_.now(), actions_);
  carry_out();
}

void EngineBench::carry_out() {
  const std::vector<Action> actions = std::move(actions_);
  actions_.clear();
  for (const Action& action : actions) {
    if (watch) watch(action);
    std::visit([this](const auto& one) { carry_out(one); }, action);
  }
  page_.clear();
}

template <class T>
bool EngineBench::failed(RequestId request, const Result<T>& result) {
  if (result.ok()) return false;
  give(Failed{request, result.error().remedy});
  return true;
}

// A read takes time, and shows the table as it was at its start or at its end.
template <class Read, class Answer>
void EngineBench::read_later(const Read& read, const Answer& answer) {
  const Millis time = store_time();
  if (random_() % 2 == 0) {
    later(time, [read, answer] { answer(read()); });
  } else {
    later(time, [seen = read(), answer] { answer(seen); });
  }
}

void EngineBench::carry_out(const ReadRoutes& action) {
  struct RoutesAnswer {
    Result<std::vector<Route>> routes;
    std::optional<std::vector<ConsumerProgress>> progress;
  };
  const auto read = [this] {
    return RoutesAnswer{session_->routes(), *session_->consumer_progress()};
  };
  read_later(read, [this, request = action.request](const RoutesAnswer& seen) {
    if (failed(request, seen.routes)) return;
    routes_ = *seen.routes;
    progress_ = seen.progress;
    for (TypeId type = 0; type < types_.size(); ++type) tell_type(type);
    give(RoutesRead{request});
  });
}

void EngineBench::tell_type(TypeId type) {
  RouteIs route_is;
  route_is.type = type;
  const Route* const route = find_route(routes_, types_[type]);
  if (route != nullptr) {
    route_is.routed = true;
    route_is.destination = number_of(destinations_, route->destination);
    route_is.confirmed = !route->consumers.empty();
    route_is.held = route->dispatch != Dispatch::relay;
    route_is.ordering = route->ordering;
    route_is.confirm_deadline = route->confirm_deadline;
    route_is.version = route->version;
  }
  give(route_is);
  give(progress_of(type, types_[type], route, progress_, options_.engine.retention_default));
}

void EngineBench::carry_out(const ListTypes& action) {
  const auto read = [this, lane = action.lane] { return session_->types_present(lane); };
  read_later(read, [this, action](const Result<std::vector<std::string>>& names) {
    if (failed(action.request, names)) return;
    std::vector<TypeId> types;
    for (const std::string& name : *names) {
      const std::size_t known = types_.size();
      types.push_back(number_of(types_, name));
      if (types_.size() > known) tell_type(types.back());
    }
    give(TypesListed{action.request, types});
  });
}

void EngineBench::carry_out(const ReadRows& action) {
  ++reads_;
  const auto read = [this, action] { return session_->read(action.of(types_[action.type])); };
  read_later(read, [this, action](const Result<LanePage>& page) {
    if (failed(action.request, page)) return;
    std::vector<RowHead> heads;
    for (const MessageRow& row : page->rows) {
      heads.push_back(head_of(row));
      page_.insert_or_assign(row.id, row);
    }
    give(RowsRead{action.request, heads, page->exhausted, page->now});
  });
}

void EngineBench::carry_out(const ReadSettled& action) {
  const auto read = [this, action] { return session_->settled(action.of(types_[action.type])); };
  read_later(read, [this, request = action.request](const Result<SettledPage>& page) {
    if (failed(request, page)) return;
    give(SettledRead{request, page->rows, page->last, page->exhausted});
  });
}

void EngineBench::carry_out(const ReadKeys& action) {
  const auto read = [this, action] {
    return session_->key_blocks(types_[action.type], action.confirmed, action.rows_max + 1);
  };
  read_later(read, [this, action](const Result<std::vector<KeyBlock>>& rows) {
    if (failed(action.request, rows)) return;
    std::vector<KeyBlockHead> blocks;
    for (const KeyBlock& row : *rows) {
      blocks.push_back({row.id, hash_of(row.key), row.state, row.epoch, row.accepted});
    }
    give(KeysRead{action.request, blocks, blocks.size() <= action.rows_max});
  });
}

void EngineBench::carry_out(const Admit& action) {
  if (!page_.contains(action.id)) broke("admitted a row that was not in the page");
  if (payloads_.contains(action.id)) broke("admitted a row twice");
  payloads_[action.id] = page_[action.id];
}

void EngineBench::carry_out(const Publish& action) {
  const auto payload = payloads_.find(action.id);
  if (payload == payloads_.end()) return broke("published a row that was not admitted");
  if (!in_flight_.insert(action.id).second) return broke("published a row that is in flight");
  if (clock_.now() >= publish_until_) {
    in_flight_.erase(action.id);
    return later(Millis(0), [this, id = action.id] { give(Withdrawn{id}); });
  }
  bytes_in_flight_ += payload->second.content.size();
  in_flight_max_ = std::max(in_flight_max_, in_flight_.size());
  bytes_max_ = std::max(bytes_max_, bytes_in_flight_);
  const MessageRow row = payload->second;
  const std::string destination = destinations_[action.destination];
  const PublishResult result = broker ? broker(row, destination) : PublishResult::acked;
  seen_.push_back({row.id, row.message_type, row.key, clock_.now(), result});
  later(broker_time(), [this, row, result] {
    in_flight_.erase(row.id);
    bytes_in_flight_ -= row.content.size();
    if (result == PublishResult::acked) acked_.insert(row.id);
    give(Published{row.id, result, Millis(0)});
  });
}

void EngineBench::carry_out(const Drop& action) {
  if (in_flight_.contains(action.id)) broke("dropped a row that is in flight");
  payloads_.erase(action.id);
}

void EngineBench::carry_out(const MarkRows& action) {
  for (const RowMark& one : action.marks) {
    const bool ack = one.cause == Cause::acked || one.cause == Cause::acked_unconfirmed;
    if (ack && !acked_.contains(one.id)) broke("marked a row without an ack");
  }
  mark(action.request, action.marks, std::nullopt);
}

void EngineBench::carry_out(const JudgeRows& action) {
  mark(action.request, action.marks, action.lease);
}

void EngineBench::mark(RequestId request, const std::vector<RowMark>& rows,
                       const std::optional<Lease>& lease) {
  later(store_time(), [this, request, rows, lease] {
    std::vector<Mark> marks;
    for (const RowMark& row : rows) {
      marks.push_back({row.id, row.from, row.cause, row.epoch, row.due_in, "because"});
    }
    if (!lease) {
      const auto results = session_->mark(marks);
      if (!failed(request, results)) give(MarksDone{request, *results, false});
      return;
    }
    const auto results = session_->judge(*lease, marks);
    if (failed(request, results)) return;
    if (*results) {
      give(MarksDone{request, **results, false});
    } else {
      give(MarksDone{request, {}, true});
    }
  });
}

void EngineBench::carry_out(const LookAtLease& action) {
  later(store_time(), [this, request = action.request] {
    const auto view = session_->lease();
    if (failed(request, view)) return;
    give(LeaseSeen{request, *view});
  });
}

void EngineBench::carry_out(const TakeLease& action) {
  later(store_time(), [this, action] {
    const auto lease = session_->take(action.seen, options_.holder);
    if (!failed(action.request, lease)) give(LeaseIs{action.request, *lease});
  });
}

void EngineBench::carry_out(const RenewLease& action) {
  later(store_time(), [this, action] {
    const auto lease = session_->renew(action.lease);
    if (!failed(action.request, lease)) give(LeaseIs{action.request, *lease});
  });
}

void EngineBench::carry_out(const ReleaseLease& action) {
  later(store_time(), [this, action] {
    const auto released = session_->release(action.lease);
    if (!failed(action.request, released)) give(LeaseReleased{action.request});
  });
}

void EngineBench::carry_out(const PublishUntil& action) {
  publish_until_ = action.until;
}

void EngineBench::carry_out(const RaiseAlarm& action) {
  alarms_.push_back(action);
}

std::vector<Seen> EngineBench::seen_of(std::int64_t id) const {
  std::vector<Seen> of;
  std::copy_if(seen_.begin(), seen_.end(), std::back_inserter(of),
               [id](const Seen& one) { return one.id == id; });
  return of;
}

bool EngineBench::raised(Alarm alarm) const {
  bool raised = false;
  for (const RaiseAlarm& one : alarms_) {
    if (one.alarm == alarm) raised = one.raised;
  }
  return raised;
}

}  // namespace waybill::testing
