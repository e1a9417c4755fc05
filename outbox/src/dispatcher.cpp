#include "waybill/outbox/dispatcher.hpp"

#include <condition_variable>
#include <string_view>
#include <utility>

#include "dispatcher_lane.hpp"
#include "waybill/message_id.hpp"

namespace waybill {
namespace {

constexpr Millis kRouteRefresh{1000};
constexpr Millis kTimeMax = std::chrono::hours(1);

[[nodiscard]] Status check(const DispatcherOptions& options) {
  struct Number {
    std::string_view name;
    std::size_t value;
  };
  for (const Number& number :
       {Number{"queue_max", options.queue_max}, Number{"queue_bytes_max", options.queue_bytes_max},
        Number{"failures_max", options.failures_max}}) {
    if (number.value == 0) {
      return Error{Remedy::fix_call, "the dispatcher's " + std::string(number.name) + " is 0",
                   "at least 1"};
    }
  }
  struct Time {
    std::string_view name;
    Millis value;
  };
  for (const Time& time : {Time{"send_deadline", options.send_deadline},
                           Time{"grace", options.grace}, Time{"pause", options.pause}}) {
    if (time.value < Millis(1) || time.value > kTimeMax) {
      return Error{Remedy::fix_call,
                   "the dispatcher's " + std::string(time.name) + " is " +
                       std::to_string(time.value.count()) + " ms",
                   "1 ms to 1 h"};
    }
  }
  return {};
}

}  // namespace

Dispatcher::Dispatcher(MessageStore& store, OpenPublisher open_publisher, DispatcherOptions options)
    : store_(store), open_publisher_(std::move(open_publisher)), options_(std::move(options)) {}

Dispatcher::~Dispatcher() {
  stop(Millis(0));
}

Status Dispatcher::start() {
  if (route_session_) {
    return Error{Remedy::fix_call, "the dispatcher was started already", "make a new one"};
  }
  if (Status checked = check(options_); !checked) return checked;
  auto session = store_.open_relay();
  if (!session) return session.error();
  route_session_ = std::move(*session);
  if (Status refreshed = refresh_routes(); !refreshed) {
    route_session_.reset();
    return refreshed;
  }
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  watcher_ = std::jthread([this](const std::stop_token& stop) { watch_routes(stop); });
  return {};
}

void Dispatcher::stop(Millis flush) {
  std::map<std::string, std::unique_ptr<Lane>> lanes;
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
    lanes.swap(lanes_);
  }
  watcher_ = {};
  const Steady deadline = std::chrono::steady_clock::now() + flush;
  for (const auto& [destination, lane] : lanes) lane->stop(deadline);
}

void Dispatcher::watch_routes(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  while (!stop.stop_requested()) {
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, kRouteRefresh, [] { return false; });
    if (stop.stop_requested()) return;
    if (const Status refreshed = refresh_routes(); !refreshed && options_.log) {
      options_.log(LogLevel::warning,
                   "dispatcher: cannot read the routes: " + refreshed.error().to_string());
    }
  }
}

Status Dispatcher::refresh_routes() {
  // An empty page of a type that cannot exist still tells the database's time.
  LaneRead nothing;
  nothing.rows_max = 1;
  const auto page = route_session_->read(nothing);
  if (!page) return page.error();
  const Steady read_at = std::chrono::steady_clock::now();
  const auto version = route_session_->routes_version();
  if (!version) return version.error();
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    database_time_ = page->now;
    database_time_read_at_ = read_at;
    changed = *version != routes_version_;
  }
  if (!changed) return {};
  auto routes = route_session_->routes();
  if (!routes) return routes.error();
  const std::lock_guard lock(mutex_);
  routes_ = std::move(*routes);
  routes_version_ = *version;
  return {};
}

DatabaseTime Dispatcher::database_now() const {
  const std::lock_guard lock(mutex_);
  return database_time_ + std::chrono::duration_cast<std::chrono::microseconds>(
                              std::chrono::steady_clock::now() - database_time_read_at_);
}

void Dispatcher::ring() const noexcept {
  if (!options_.ring) return;
  try {
    options_.ring();
  } catch (...) {  // NOLINT(bugprone-empty-catch): the relay polls as well
  }
}

Dispatcher::Lane& Dispatcher::lane_of(const std::string& destination) {
  const auto known = lanes_.find(destination);
  if (known != lanes_.end()) return *known->second;
  auto lane = std::make_unique<Lane>(*this, destination);  // throws when there is no thread for it
  return *lanes_.emplace(destination, std::move(lane)).first->second;
}

// False when the row is the relay's.
bool Dispatcher::offer(CommittedMessage& message, Steady commit_sent, Handover handover,
                       const std::shared_ptr<DispatchWait>& wait) {
  // Held to the end, so that stop() cannot take the lane away in between.
  const std::lock_guard lock(mutex_);
  if (!running_) return false;
  const Route* route = find_route(routes_, message.message.message_type);
  if (route == nullptr || route->ordering != Ordering::none) return false;
  if (route->dispatch == Dispatch::relay) return false;
  DispatchJob job;
  job.confirmation_asked = !route->consumers.empty();
  job.message_id =
      MessageId{message.message.biz_type, message.message.message_type, message.message.identifier}
          .to_string();
  job.commit_sent = commit_sent;
  if (route->dispatch == Dispatch::sync && handover == Handover::as_routed) job.wait = wait;
  job.committed = std::move(message);
  if (lane_of(route->destination).offer(std::move(job))) return true;
  ++counters_.left;
  return false;
}

// A failure to hand over changes nothing for the caller: the rows are there, and the relay finds
// them.
void Dispatcher::committed(std::vector<CommittedMessage> messages, Steady commit_sent,
                           Handover handover) noexcept {
  const Steady deadline = std::chrono::steady_clock::now() + options_.send_deadline;
  bool left = handover == Handover::leave_to_relay;
  try {
    const auto wait = std::make_shared<DispatchWait>();
    for (CommittedMessage& message : messages) {
      if (handover == Handover::leave_to_relay) break;
      if (!offer(message, commit_sent, handover, wait)) left = true;
    }
    if (left) ring();
    wait->wait_until(deadline);
  } catch (...) {
    ring();
  }
}

DispatcherStats Dispatcher::stats() const noexcept {
  return {counters_.published.load(), counters_.marked.load(), counters_.left.load()};
}

}  // namespace waybill
