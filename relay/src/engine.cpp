#include "waybill/relay/engine.hpp"

#include <algorithm>

#include "engine_state.hpp"

namespace waybill::relay {
namespace {

// A destination that failed this often in a row will not take anything "now" (mode once).
constexpr std::uint32_t kProbesOfOnce = 3;
// Store failures in a row that are worth an alarm.
constexpr std::uint32_t kStoreFailuresOfAlarm = 3;

constexpr std::size_t index(Lane lane) noexcept {
  return static_cast<std::size_t>(lane);
}

}  // namespace

Engine::Engine(const EngineOptions& options, std::uint64_t seed, Mode mode)
    : state_(std::make_unique<State>(options, seed, mode)) {}

Engine::~Engine() = default;

void Engine::handle(const Event& event, Steady now, std::vector<Action>& actions) {
  state_->handle({&event, 1}, now, actions);
}

void Engine::handle(std::span<const Event> events, Steady now, std::vector<Action>& actions) {
  state_->handle(events, now, actions);
}

Steady Engine::wake_at() const noexcept {
  return state_->wake_at();
}

bool Engine::finished() const noexcept {
  return state_->finished();
}

EngineStats Engine::stats() const {
  return state_->stats();
}

std::vector<DestinationView> Engine::destinations() const {
  return state_->destinations();
}

Engine::State::State(const EngineOptions& options, std::uint64_t seed, Mode mode)
    : options_(options),
      seed_(seed),
      mode_(mode),
      pipeline_(2 * options.window),
      lease_(options.ttl),
      poll_(options.poll_busy) {}

void Engine::State::handle(std::span<const Event> events, Steady now,
                           std::vector<Action>& actions) {
  now_ = now;
  actions_ = &actions;
  for (const Event& event : events) {
    std::visit([this](const auto& one) { on(one); }, event);
  }
  decide();
  actions_ = nullptr;
}

void Engine::State::decide() {
  wake_at_ = Steady::max();
  if (released_) return;
  drive_lease();
  flush_marks();
  if (may_publish() && due(trouble(Work::reading).retry_at)) {
    drive_routes();
    if (routes_read_) {
      drive_keys();
      drive_lists();
      for (TypeState& type : types_) activate(type);
      issue_reads();
      drive_settle();
    }
    if (mode_ == Mode::once && all_done()) stopping_ = true;
  }
  if (stopping_) drive_stop();
}

void Engine::State::drive_lease() {
  const bool wants = lease_.holds() || !stopping_;
  if (wants && !releasing_) {
    switch (lease_.next(now_)) {
      case LeaseKeeper::Step::nothing:
        break;
      case LeaseKeeper::Step::look:
        act(LookAtLease{ask({.kind = Kind::look})});
        break;
      case LeaseKeeper::Step::take:
        act(TakeLease{ask({.kind = Kind::take}), lease_.watched()});
        break;
      case LeaseKeeper::Step::renew:
        act(RenewLease{ask({.kind = Kind::renew}), lease_.held()});
        break;
    }
    (void)due(lease_.wake_at());
  }
  const Steady until = stopping_ ? Steady{} : lease_.publish_until();
  if (until != told_until_) {
    told_until_ = until;
    act(PublishUntil{until});
  }
}

// A new lease: what was known of the lanes may be old, and another relay may have worked meanwhile.
void Engine::State::begin_term() {
  ++term_;
  counters_.fence = lease_.held().fence;
  held_ = 0;
  listed_ = {};
  list_at_ = {};
  poll_ = options_.poll_busy;
  for (TypeState& type : types_) {
    for (StreamState& stream : type.streams) {
      stream = StreamState{.in_flight = stream.in_flight};
    }
    type.present = {};
    type.passed = {};
    type.history.reset(now_, 0);
    type.held.clear();
    type.give_back_from = kNoId;
    type.late_at = now_;
    type.rescan_at = now_ + options_.rescan_min;
    type.full_pages = 0;
    type.next_pass_at = {};
    type.settle = {};
  }
}

void Engine::State::end_term() {
  ++term_;
  raise(Alarm::lease_lost, 0, true);
  counters_.was_deposed = true;
  for (const RowMark& mark : judgements_) forget(mark.id);
  judgements_.clear();
  forget_waiting();
  if (mode_ == Mode::once) stopping_ = true;
}

void Engine::State::drive_routes() {
  if (reading_routes_ || !due(routes_at_)) return;
  reading_routes_ = true;
  act(ReadRoutes{ask({.kind = Kind::routes})});
}

void Engine::State::drive_lists() {
  if (rung_ && !listing_[index(Lane::fresh)] && due(ring_at_)) {
    rung_ = false;
    ring_at_ = now_ + options_.ring_gap;
    poll_ = options_.poll_busy;
    list_at_[index(Lane::fresh)] = now_;
  }
  for (const Lane lane : {Lane::fresh, Lane::due, Lane::overdue}) {
    if (listing_[index(lane)] || !due(list_at_[index(lane)])) continue;
    listing_[index(lane)] = true;
    act(ListTypes{ask({.kind = Kind::list, .lane = lane}), lane});
  }
}

void Engine::State::drive_stop() {
  const bool open = std::any_of(requests_.begin(), requests_.end(), [](const auto& request) {
    return request.second.kind != Kind::read && request.second.kind != Kind::settled &&
           request.second.kind != Kind::list && request.second.kind != Kind::keys &&
           request.second.kind != Kind::routes;
  });
  if (open || !rows_.empty()) return;
  if (lease_.holds() && !releasing_) {
    releasing_ = true;
    act(ReleaseLease{ask({.kind = Kind::release}), lease_.held()});
  } else if (!releasing_) {
    released_ = true;
  }
}

bool Engine::State::all_done() const {
  const bool asked = std::any_of(requests_.begin(), requests_.end(), [](const auto& request) {
    return request.second.kind == Kind::read || request.second.kind == Kind::settled ||
           request.second.kind == Kind::list || request.second.kind == Kind::keys;
  });
  const bool listed = std::all_of(listed_.begin(), listed_.end(), [](bool lane) { return lane; });
  if (asked || !listed || !routes_read_ || !rows_.empty() || rung_) return false;
  return std::all_of(types_.begin(), types_.end(),
                     [this](const TypeState& type) { return settled(type); });
}

bool Engine::State::settled(const TypeState& type) const {
  if (!type.route.routed) return true;
  if (type.route.ordering != Ordering::none && !type.keys_known) return false;
  const Gate& gate = destinations_[type.route.destination].gate;
  if (gate.failures_in_a_row() >= kProbesOfOnce) return true;
  if (type.gate.failures_in_a_row() >= kProbesOfOnce) return true;
  if (settles_first(type)) return false;
  for (const StreamState& stream : type.streams) {
    if (stream.wanted) return false;
  }
  if (type.give_back_from != kNoId || !type.held.empty()) return false;
  for (std::size_t lane = 0; lane < type.present.size(); ++lane) {
    if (type.present[lane] && !type.passed[lane]) return false;
  }
  return true;
}

void Engine::State::on(const RouteIs& event) {
  if (event.type >= options_.types_max) {
    raise(Alarm::too_many_types, 0, true);
    return;
  }
  if (event.type >= types_.size()) types_.resize(event.type + 1);
  if (event.routed && event.destination >= destinations_.size()) {
    destinations_.resize(event.destination + 1);
  }
  TypeState& type = types_[event.type];
  const bool found_route = event.routed && !type.route.routed;
  if (!type.known) {
    type.history.reset(now_, 0);
    type.late_at = now_;
    type.rescan_at = now_ + options_.rescan_min;
  }
  if (type.known && type.route.routed && event.routed &&
      type.route.destination != event.destination) {
    type.gate = Gate{};
  }
  if (type.route.ordering != event.ordering || type.route.confirmed != event.confirmed) {
    type.keys_known = false;
    type.keys_at = {};
  }
  if (!type.known || type.route.version != event.version) type.settle = {};
  if (!event.confirmed) raise(Alarm::consumer_silent, event.type, false);
  type.route = event;
  type.known = true;
  if (found_route) raise(Alarm::type_without_route, event.type, false);
}

void Engine::State::on(const ProgressIs& event) {
  TypeState* type = type_of(event.type);
  if (type == nullptr) return;
  if (event.confirmed_sent > type->progress.confirmed_sent) {
    type->probes = 0;
    type->next_probe_at = now_;
    raise(Alarm::consumer_silent, event.type, false);
  }
  type->progress = event;
}

void Engine::State::on(const RoutesRead& event) {
  const auto request = answered(event.request);
  if (!request) return;
  store_answered(request->kind);
  reading_routes_ = false;
  routes_read_ = true;
  routes_at_ = now_ + options_.routes_interval;
}

void Engine::State::on(const TypesListed& event) {
  const auto request = answered(event.request);
  if (!request) return;
  store_answered(request->kind);
  const std::size_t lane = index(request->lane);
  listing_[lane] = false;
  if (request->term != term_) return;
  listed_[lane] = true;
  for (TypeState& type : types_) type.present[lane] = false;
  for (const TypeId id : event.types) {
    TypeState* type = type_of(id);
    if (type == nullptr) continue;
    type->present[lane] = true;
    if (!type->route.routed) {
      raise(Alarm::type_without_route, id, true);
    } else if (request->lane == Lane::fresh) {
      StreamState& head = (*type)[Stream::head];
      // An ordered type has one stream, which starts where the head was some time ago: a row that
      // commits late must leave before the later rows of its key.
      if (!head.wanted && type->route.ordering != Ordering::none) {
        head.after.id = std::min(head.after.id, type->history.oldest());
      }
      head.wanted = true;
    }
  }
  if (request->lane != Lane::fresh) {
    list_at_[lane] = now_ + options_.slow_poll;
    return;
  }
  for (DestinationState& destination : destinations_) destination.types_present = 0;
  for (const TypeState& type : types_) {
    if (type.route.routed && type.present[lane]) {
      ++destinations_[type.route.destination].types_present;
    }
  }
  list_at_[lane] = now_ + poll_;
  poll_ = std::min(poll_ * 2, options_.poll_idle);
}

void Engine::State::on(const LeaseSeen& event) {
  const auto request = answered(event.request);
  if (!request) return;
  store_answered(request->kind);
  const bool held = lease_.holds();
  lease_.seen(event.lease, now_);
  if (held && !lease_.holds()) end_term();
}

void Engine::State::on(const LeaseIs& event) {
  const auto request = answered(event.request);
  if (!request) return;
  store_answered(request->kind);
  const bool held = lease_.holds();
  lease_.answered(event.lease, now_);
  if (!held && lease_.holds()) begin_term();
  if (held && !lease_.holds()) end_term();
}

void Engine::State::on(const LeaseReleased& event) {
  if (!answered(event.request)) return;
  released_ = true;
}

void Engine::State::on(const Failed& event) {
  auto request = answered(event.request);
  if (!request) return;
  store_failed(request->kind);
  switch (request->kind) {
    case Kind::routes:
      reading_routes_ = false;
      break;
    case Kind::list:
      listing_[index(request->lane)] = false;
      break;
    case Kind::keys:
      types_[request->type].keys_reading = false;
      break;
    case Kind::settled:
      settling_ = false;
      break;
    case Kind::read:
      break;  // answered() gave back its room; the stream still wants it
    case Kind::mark:
    case Kind::judge:
      marks_failed(std::move(*request), event.remedy);
      break;
    case Kind::look:
    case Kind::take:
    case Kind::renew:
      lease_.failed(event.remedy, now_);
      break;
    case Kind::release:
      released_ = true;  // it runs out by itself
      break;
  }
}

void Engine::State::on(const Rung& /*event*/) {
  rung_ = true;
}

void Engine::State::on(const Stop& /*event*/) {
  stopping_ = true;
  forget_waiting();
}

Engine::State::Work Engine::State::work_of(Kind kind) {
  switch (kind) {
    case Kind::take:
    case Kind::renew:
    case Kind::release:
      return Work::leasing;
    case Kind::mark:
    case Kind::judge:
      return Work::marking;
    default:
      return Work::reading;
  }
}

void Engine::State::store_answered(Kind kind) {
  trouble(work_of(kind)) = {};
  const bool works = std::all_of(trouble_.begin(), trouble_.end(),
                                 [](const StoreTrouble& one) { return one.failures == 0; });
  if (works) raise(Alarm::store_fails, 0, false);
}

void Engine::State::store_failed(Kind kind) {
  StoreTrouble& one = trouble(work_of(kind));
  ++one.failures;
  const unsigned doublings = std::min(one.failures - 1, 16U);
  one.retry_at =
      now_ + std::min(options_.store_retry_max, options_.store_retry_first * (1 << doublings));
  if (one.failures >= kStoreFailuresOfAlarm) raise(Alarm::store_fails, 0, true);
}

// Told once when it starts and once when it heals; what never heals is told each time.
void Engine::State::raise(Alarm alarm, std::uint32_t subject, bool raised, std::int64_t id) {
  if (alarm != Alarm::message_dead && alarm != Alarm::lease_lost) {
    const auto name = std::pair(alarm, subject);
    const bool changes = raised ? raised_.insert(name).second : raised_.erase(name) > 0;
    if (!changes) return;
  }
  act(RaiseAlarm{alarm, subject, raised, id});
}

bool Engine::State::due(Steady at) {
  if (at <= now_) return true;
  wake_at_ = std::min(wake_at_, at);
  return false;
}

bool Engine::State::may_publish() const {
  return lease_.holds() && !stopping_ && now_ < lease_.publish_until();
}

TypeState* Engine::State::type_of(TypeId id) {
  return id < types_.size() && types_[id].known ? &types_[id] : nullptr;
}

RequestId Engine::State::ask(Request request) {
  request.asked_at = now_;
  request.term = term_;
  if (request.kind == Kind::read) ++reads_;
  requests_.emplace(++last_request_, std::move(request));
  return last_request_;
}

std::optional<Engine::State::Request> Engine::State::answered(RequestId id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return std::nullopt;
  Request request = std::move(found->second);
  requests_.erase(found);
  if (request.kind == Kind::read) {
    --reads_;
    TypeState& type = types_[request.type];
    reserved_ -= request.reserved;
    type.in_flight -= request.reserved;
    destinations_[request.destination].in_flight -= request.reserved;
    if (request.term == term_) type[request.stream].reading = false;
  }
  return request;
}

EngineStats Engine::State::stats() const {
  EngineStats stats = counters_;
  stats.in_flight = rows_.size();
  stats.is_leader = lease_.holds();
  const auto unrouted = std::count_if(types_.begin(), types_.end(), [](const TypeState& type) {
    return type.known && !type.route.routed && type.present[index(Lane::fresh)];
  });
  stats.left = left_.size() + static_cast<std::uint64_t>(unrouted);
  return stats;
}

std::vector<DestinationView> Engine::State::destinations() const {
  std::vector<DestinationView> views;
  for (std::size_t i = 0; i < destinations_.size(); ++i) {
    views.push_back(
        {static_cast<DestinationId>(i), destinations_[i].gate.state(), destinations_[i].in_flight});
  }
  return views;
}

}  // namespace waybill::relay
