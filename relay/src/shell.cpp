#include "shell.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

namespace waybill::relay {
namespace {

// The engine thread looks at its clock at least this often.
constexpr Millis kWaitMax{100};
// Of a stop and of one pass: longer ones are as good as this, and no sum with it overflows.
constexpr Millis kDeadlineMax = std::chrono::hours(24 * 365);
// Of the time to stop, what is left for marks and the lease after the publishers were closed.
constexpr int kMarkShare = 4;

std::string own_name() {
  std::array<char, 65> host{};  // 64 bytes at most on Linux
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return std::string(host.data()) + ":" + std::to_string(::getpid());
}

// No two relays hold a lease by one name, however alike they are configured, and neither do two
// lives of one.
std::string holder_of(const RunnerOptions& options) {
  std::random_device chance;
  std::array<char, 10> part{};
  std::snprintf(part.data(), part.size(), "#%08x", static_cast<unsigned>(chance()));
  return (options.holder.empty() ? own_name() : options.holder) + part.data();
}

BreakerState breaker_of(GateState gate) {
  switch (gate) {
    case GateState::closed:
      return BreakerState::closed;
    case GateState::open:
      return BreakerState::open;
    case GateState::ramping:
      return BreakerState::ramping;
  }
  return BreakerState::closed;
}

}  // namespace

std::uint32_t Names::number(std::string_view name) {
  const auto [entry, added] = numbers_.try_emplace(std::string(name), size());
  if (added) names_.emplace_back(name);
  return entry->second;
}

std::optional<std::uint32_t> Names::find(std::string_view name) const {
  const auto found = numbers_.find(std::string(name));
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

const std::string& Names::name(std::uint32_t number) const {
  static const std::string nobody;
  return number < names_.size() ? names_[number] : nobody;
}

Runner::Shell::Shell(MessageStore& store, const OpenPublisher& open, const Clock& clock,
                     const RunnerOptions& options, std::uint64_t seed, Mode mode)
    : open_(open),
      clock_(clock),
      options_(options),
      holder_(holder_of(options)),
      stop_by_(Steady::max().time_since_epoch().count()),
      engine_(options.engine, seed, mode),
      alarms_(options.log),
      workers_(std::make_unique<StoreWorkers>(store, clock, inbox_, options.sessions)) {
  if (!options.doorbell.empty()) {
    doorbell_ = std::make_unique<DoorbellListener>(options.doorbell, [this] { inbox_.ring(); });
    if (!doorbell_->listening()) {
      alarms_.tell(LogLevel::warning, "no free doorbell: new rows are found by polling only");
    }
  }
  thread_ = std::jthread([this] { work(); });
}

Runner::Shell::~Shell() {
  stop(Millis(0));
}

void Runner::Shell::stop(Millis deadline) {
  stop_by_ = (clock_.now() + std::min(deadline, kDeadlineMax)).time_since_epoch().count();
  inbox_.stop();
  if (thread_.joinable()) thread_.join();
  doorbell_.reset();
}

bool Runner::Shell::wait_finished(Millis wait) {
  std::unique_lock lock(mutex_);
  return finished_changed_.wait_for(lock, std::min(wait, kDeadlineMax),
                                    [this] { return finished_; });
}

void Runner::Shell::work() {
  engine_.handle(Tick{}, clock_.now(), actions_);
  carry_out();
  while (!engine_.finished() && !past_deadline()) {
    Steady until = clock_.now() + kWaitMax;
    until = std::min(until, engine_.wake_at());
    take(inbox_.take(std::max(until - clock_.now(), Steady::duration::zero())));
    events_.emplace_back(Tick{});
    engine_.handle(events_, clock_.now(), actions_);
    carry_out();
  }
  for (auto& publisher : publishers_) {
    if (publisher) publisher->close(clock_.now());
  }
  publishers_.clear();
  workers_.reset();
  const std::lock_guard lock(mutex_);
  engine_stats_.is_leader = false;
  finished_ = true;
  finished_changed_.notify_all();
}

// While stopping: first the publishers are closed, so that their outcomes can still be marked.
bool Runner::Shell::past_deadline() {
  const Steady stop_by{Steady::duration(stop_by_.load())};
  if (stop_by == Steady::max()) return false;
  const Steady now = clock_.now();
  if (now >= stop_by) return true;
  if (!closing_) {
    closing_ = true;
    const Steady close_by = now + (stop_by - now) * (kMarkShare - 1) / kMarkShare;
    for (auto& publisher : publishers_) {
      if (publisher) publisher->close(close_by);
    }
  }
  return false;
}

void Runner::Shell::carry_out() {
  for (Action& action : actions_) {
    std::visit([this](auto& one) { carry_out(one); }, action);
  }
  send_batches();
  actions_.clear();
  events_.clear();
  heads_.clear();
  settled_.clear();
  key_blocks_.clear();
  type_lists_.clear();
  results_.clear();
  page_rows_.clear();
  tell_leadership();
  snapshot();
}

void Runner::Shell::carry_out(ReadRoutes& action) {
  workers_->put({action.request, RoutesJob{routes_version_}});
}

void Runner::Shell::carry_out(ListTypes& action) {
  workers_->put({action.request, action});
}

void Runner::Shell::carry_out(ReadRows& action) {
  workers_->put({action.request, ReadJob{action, types_.name(action.type)}});
}

void Runner::Shell::carry_out(ReadSettled& action) {
  workers_->put({action.request, SettledJob{action, types_.name(action.type)}});
}

void Runner::Shell::carry_out(ReadKeys& action) {
  workers_->put({action.request, KeysJob{action, types_.name(action.type)}});
}

void Runner::Shell::carry_out(Admit& action) {
  const auto found = page_rows_.find(action.id);
  if (found == page_rows_.end()) return;
  auto admitted = payloads_.insert(page_rows_.extract(found));
  if (!admitted.inserted) admitted.position->second = std::move(admitted.node.mapped());
}

void Runner::Shell::carry_out(Publish& action) {
  const auto found = payloads_.find(action.id);
  if (found == payloads_.end()) return;
  if (action.destination >= batches_.size()) batches_.resize(action.destination + 1);
  batches_[action.destination].push_back(&found->second);
}

void Runner::Shell::send_batches() {
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    if (batches_[i].empty()) continue;
    publisher(static_cast<DestinationId>(i)).put(batches_[i]);
    batches_[i].clear();
  }
}

PublisherThread& Runner::Shell::publisher(DestinationId destination) {
  if (destination >= publishers_.size()) publishers_.resize(destination + 1);
  if (!publishers_[destination]) {
    publishers_[destination] = std::make_unique<PublisherThread>(destinations_.name(destination),
                                                                 open_, clock_, limits_, inbox_);
  }
  return *publishers_[destination];
}

void Runner::Shell::carry_out(Drop& action) {
  payloads_.erase(action.id);
}

void Runner::Shell::carry_out(MarkRows& action) {
  workers_->put({action.request, MarksJob{std::move(action.marks), {}, std::nullopt}});
}

void Runner::Shell::carry_out(JudgeRows& action) {
  std::vector<std::string> reasons;
  reasons.reserve(action.marks.size());
  for (const RowMark& mark : action.marks) {
    if (mark.cause == Cause::horizon_passed) {
      reasons.emplace_back("not confirmed before its consumer may have forgotten it");
      continue;
    }
    if (mark.cause == Cause::stuck_behind || mark.cause == Cause::unblocked) {
      reasons.emplace_back(mark.cause == Cause::stuck_behind
                               ? "an earlier message of its key has not left yet"
                               : "the earlier messages of its key have left");
      free_content(mark.id);
      continue;
    }
    const auto found = payloads_.find(mark.id);
    std::string reason = found != payloads_.end() ? found->second.reason : std::string();
    reasons.push_back(reason.empty() ? "refused by the broker" : std::move(reason));
    free_content(mark.id);
  }
  workers_->put(
      {action.request, MarksJob{std::move(action.marks), std::move(reasons), action.lease}});
}

void Runner::Shell::carry_out(LookAtLease& action) {
  workers_->put({action.request, action});
}

void Runner::Shell::carry_out(TakeLease& action) {
  workers_->put({action.request, TakeJob{std::move(action.seen), holder_}});
}

void Runner::Shell::carry_out(RenewLease& action) {
  workers_->put({action.request, action});
}

void Runner::Shell::carry_out(ReleaseLease& action) {
  workers_->put({action.request, action});
}

void Runner::Shell::carry_out(PublishUntil& action) {
  limits_.until = action.until.time_since_epoch().count();
}

void Runner::Shell::carry_out(RaiseAlarm& action) {
  const bool of_destination = action.alarm == Alarm::destination_down;
  const std::string& name = (of_destination ? destinations_ : types_).name(action.subject);
  std::string reason;
  if (action.alarm == Alarm::message_dead) {
    const auto found = payloads_.find(action.id);
    if (found != payloads_.end()) reason = found->second.reason;
  } else if (action.alarm == Alarm::store_fails) {
    const std::lock_guard lock(mutex_);
    reason = last_error_;
  } else {
    reason = (of_destination ? destination_reasons_ : type_reasons_)[action.subject];
  }
  alarms_.tell(action, name, reason, clock_.now());
}

void Runner::Shell::free_content(std::int64_t id) {
  const auto found = payloads_.find(id);
  if (found != payloads_.end()) found->second.row.content = std::string();
}

void Runner::Shell::note_error(std::string text) {
  const std::lock_guard lock(mutex_);
  last_error_ = std::move(text);
}

void Runner::Shell::tell_leadership() {
  const EngineStats stats = engine_.stats();
  if (stats.is_leader && (!leader_told_ || stats.fence != fence_told_)) {
    alarms_.tell(LogLevel::info,
                 "holds the lease as '" + holder_ + "', fence " + std::to_string(stats.fence));
  }
  leader_told_ = stats.is_leader;
  fence_told_ = stats.fence;
}

void Runner::Shell::snapshot() {
  std::vector<DestinationStats> destinations;
  for (const DestinationView& view : engine_.destinations()) {
    destinations.push_back(
        {destinations_.name(view.destination), breaker_of(view.gate), view.in_flight});
  }
  const std::lock_guard lock(mutex_);
  engine_stats_ = engine_.stats();
  engine_stats_.in_flight += unanswered_;
  destination_stats_ = std::move(destinations);
  holder_seen_ = lease_seen_.holder;
}

RunnerStats Runner::Shell::stats() const {
  const std::lock_guard lock(mutex_);
  RunnerStats stats;
  stats.published = engine_stats_.published;
  stats.marked = engine_stats_.marked;
  stats.refused = engine_stats_.refused;
  stats.resent = engine_stats_.resent;
  stats.dead = engine_stats_.dead;
  stats.in_flight = engine_stats_.in_flight;
  stats.is_leader = engine_stats_.is_leader;
  stats.fence = engine_stats_.fence;
  stats.destinations = destination_stats_;
  stats.last_error = last_error_;
  return stats;
}

EngineStats Runner::Shell::engine_stats() const {
  const std::lock_guard lock(mutex_);
  return engine_stats_;
}

std::string Runner::Shell::holder_seen() const {
  const std::lock_guard lock(mutex_);
  return holder_seen_;
}

}  // namespace waybill::relay
