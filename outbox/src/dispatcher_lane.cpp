#include "dispatcher_lane.hpp"
#include "waybill/test_points.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace waybill {
namespace {

constexpr std::size_t kSubmitMax = 256;
constexpr Millis kPollSlice{20};
constexpr Millis kIdleSlice{1000};  // an idle publisher may have to answer heartbeats
constexpr Millis kMarkAgain{5};

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Dispatcher::Lane::Lane(Dispatcher& dispatcher, std::string destination)
    : dispatcher_(dispatcher), destination_(std::move(destination)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

Dispatcher::Lane::~Lane() {
  stop(now());
}

bool Dispatcher::Lane::offer(DispatchJob job) {
  const DispatcherOptions& options = dispatcher_.options_;
  const std::size_t bytes = job.committed.message.content.bytes().size();
  const std::lock_guard lock(mutex_);
  const Steady at = now();
  if (stop_by_ != Steady::max()) return false;
  if (jobs_ >= options.queue_max || bytes > options.queue_bytes_max - bytes_) return false;
  // No sign of life although there is something to answer: it hangs.
  if (jobs_ > 0 && at - last_progress_ > options.send_deadline) return false;
  if (failures_ >= options.failures_max) {
    if (probing_ || at < paused_until_) return false;
    probing_ = true;
    job.probe = true;
    job.wait.reset();
  }
  if (jobs_ == 0) last_progress_ = at;
  queue_.push_back(std::make_unique<DispatchJob>(std::move(job)));
  ++jobs_;
  bytes_ += bytes;
  // Counted here and not by the caller, who cannot know whether it is a probe.
  if (queue_.back()->wait) queue_.back()->wait->add();
  if (publisher_) publisher_->wake();
  waiting_.notify_one();
  return true;
}

void Dispatcher::Lane::stop(Steady deadline) {
  {
    const std::lock_guard lock(mutex_);
    stop_by_ = std::min(stop_by_, deadline);
  }
  thread_.request_stop();
  waiting_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Dispatcher::Lane::work(const std::stop_token& stop) {
  while (wait_for_work(stop)) {
    try {
      work_once();
    } catch (const std::exception& error) {
      give_up(error.what());
    } catch (...) {
      give_up("an exception of unknown type");
    }
  }
  try {
    if (publisher_) publisher_->close(now() + kPollSlice, *this);
    mark_acked();
  } catch (...) {  // NOLINT(bugprone-empty-catch): what is left is the relay's anyway
  }
  give_up({});
}

// False when the thread has to end.
bool Dispatcher::Lane::wait_for_work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto woken = [&] { return !queue_.empty(); };
  if (in_flight_.empty() && !acked_.empty()) {
    waiting_.wait_for(lock, kMarkAgain, woken);
  } else if (in_flight_.empty()) {
    waiting_.wait_for(lock, stop, kIdleSlice, woken);
  }
  if (!stop.stop_requested()) return true;
  return (!queue_.empty() || !in_flight_.empty() || !acked_.empty()) && now() < stop_by_;
}

void Dispatcher::Lane::work_once() {
  submit_waiting();
  poll();
  mark_acked();
}

bool Dispatcher::Lane::open() {
  if (!session_) {
    auto session = dispatcher_.store_.open_relay();
    if (!session) {
      failed("cannot open a store session", session.error().text);
      return false;
    }
    session_ = std::move(*session);
  }
  if (!publisher_) {
    auto publisher = dispatcher_.open_publisher_(destination_);
    if (!publisher) {
      failed("cannot open a publisher", publisher.error().text);
      return false;
    }
    const std::lock_guard lock(mutex_);
    publisher_ = std::move(*publisher);
  }
  return true;
}

std::deque<Dispatcher::Lane::Job> Dispatcher::Lane::take_waiting() {
  std::deque<Job> taken;
  const std::lock_guard lock(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kSubmitMax));
  std::move(queue_.begin(), queue_.begin() + count, std::back_inserter(taken));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  return taken;
}

void Dispatcher::Lane::put_back(std::deque<Job>& jobs) {
  const std::lock_guard lock(mutex_);
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
    if (*job) queue_.push_front(std::move(*job));
  }
}

// Moves waiting jobs into the publisher.
void Dispatcher::Lane::submit_waiting() {
  std::deque<Job> batch = take_waiting();
  if (batch.empty()) return;
  try {
    submit_all(batch);
  } catch (...) {
    put_back(batch);
    throw;
  }
  put_back(batch);
}

// A job that is too late is left: the relay may have taken its row.
void Dispatcher::Lane::submit_all(std::deque<Job>& batch) {
  bool ready = false;
  try {
    ready = open();
  } catch (const std::exception& error) {
    failed("cannot open", error.what());
  }
  const DatabaseTime database_now = dispatcher_.database_now();
  while (!batch.empty()) {
    const bool late = now() > batch.front()->commit_sent + dispatcher_.options_.grace / 2;
    if (!ready || late) {
      leave(*batch.front());
    } else if (!submit(batch.front(), database_now)) {
      break;  // window full: poll first
    }
    batch.pop_front();
  }
}

bool Dispatcher::Lane::submit(Job& job, DatabaseTime database_now) {
  job->sent_at = database_now;
  const Message& message = job->committed.message;
  Outgoing out;
  out.token = next_token_;
  out.destination = destination_;
  out.message_id = job->message_id;
  out.message_type = message.message_type;
  out.key = message.key;
  out.body = message.content.bytes();
  out.traceparent = message.traceparent;
  out.sent_at = job->sent_at;
  // In flight before it is submitted: its outcome may come at once, and its bytes must outlive it.
  const auto placed = in_flight_.emplace(next_token_, std::move(job)).first;
  WAYBILL_TEST_POINT("sender.before_publish");
  if (publisher_->submit({&out, 1}) == 0) {
    job = std::move(placed->second);
    in_flight_.erase(placed);
    return false;
  }
  ++next_token_;
  return true;
}

void Dispatcher::Lane::poll() {
  if (!publisher_) return;
  bool waiting = false;
  {
    const std::lock_guard lock(mutex_);
    waiting = !queue_.empty();
  }
  const bool busy = waiting || !in_flight_.empty();
  publisher_->poll(busy ? now() + kPollSlice : now(), *this);
}

void Dispatcher::Lane::on_outcome(const PublishOutcome& outcome) {
  const auto found = in_flight_.find(outcome.token);
  if (found == in_flight_.end()) return;
  Job job = std::move(found->second);
  in_flight_.erase(found);
  if (outcome.result == PublishResult::acked) {
    WAYBILL_TEST_POINT("sender.after_ack");
    answered();
    ++dispatcher_.counters_.published;
    acked_.push_back(std::move(job));
    return;
  }
  // A refusal of this message says that the destination is alive.
  if (outcome.result == PublishResult::rejected) {
    answered();
  } else {
    failed(to_string(outcome.result), outcome.reason, outcome.retry_after);
  }
  leave(*job);
}

// The mark has its own transaction, and needs no lease: an ack is a fact. What cannot be marked in
// time stays INIT and is published again by the relay, with the same id.
void Dispatcher::Lane::mark_acked() {
  if (acked_.empty()) return;
  std::sort(acked_.begin(), acked_.end(),
            [](const auto& a, const auto& b) { return a->committed.id < b->committed.id; });
  std::vector<Mark> marks;
  for (const Job& job : acked_) {
    Mark mark;
    mark.id = job->committed.id;
    mark.cause = job->confirmation_asked ? Cause::acked_unconfirmed : Cause::acked;
    marks.push_back(mark);
  }
  const auto marked = mark(marks);
  if (marked) {
    WAYBILL_TEST_POINT("sender.after_mark");
    for (std::size_t i = 0; i < acked_.size(); ++i) {
      const Marked result = marked->at(i);
      dispatcher_.counters_.marked += result == Marked::done ? 1 : 0;
      if (result == Marked::gone) tell_gone(*acked_[i]);
    }
    for (const Job& job : acked_) finish(*job);
    acked_.clear();
    return;
  }
  session_.reset();
  const bool again = marked.error().remedy != Remedy::fix_call;
  const Steady mark_by = now() - dispatcher_.options_.grace * 3 / 4;
  std::erase_if(acked_, [&](const Job& job) {
    if (again && job->commit_sent > mark_by) return false;
    leave(*job);
    return true;
  });
  if (acked_.empty()) failed("cannot mark", marked.error().text);
}

Result<std::vector<Marked>> Dispatcher::Lane::mark(const std::vector<Mark>& marks) {
  if (!session_) {
    auto session = dispatcher_.store_.open_relay();
    if (!session) return session.error();
    session_ = std::move(*session);
  }
  return session_->mark(marks);
}

void Dispatcher::Lane::tell_gone(const DispatchJob& job) const {
  if (!dispatcher_.options_.log) return;
  dispatcher_.options_.log(
      LogLevel::alarm, "dispatcher: message " + job.message_id +
                           " was sent, but its row is not there (was it rolled back to a savepoint "
                           "of the caller's own? execute_nested() takes messages along)");
}

void Dispatcher::Lane::leave(const DispatchJob& job) noexcept {
  ++dispatcher_.counters_.left;
  finish(job);
  dispatcher_.ring();
}

void Dispatcher::Lane::finish(const DispatchJob& job) noexcept {
  {
    const std::lock_guard lock(mutex_);
    --jobs_;
    if (job.probe) probing_ = false;
    bytes_ -= job.committed.message.content.bytes().size();
  }
  if (job.wait) job.wait->finish_one();
}

// Leaves everything to the relay; `why` is empty at the end of the thread.
void Dispatcher::Lane::give_up(std::string_view why) noexcept {
  drop_publisher();  // before the jobs: it may still look at their bytes
  session_.reset();
  std::deque<Job> rest;
  {
    const std::lock_guard lock(mutex_);
    rest.swap(queue_);
  }
  for (const Job& job : rest) leave(*job);
  for (const auto& [token, job] : in_flight_) {
    if (job) leave(*job);
  }
  for (const Job& job : acked_) leave(*job);
  in_flight_.clear();
  acked_.clear();
  if (why.empty()) return;
  try {
    failed("the sender failed", why);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a log line less
  }
}

void Dispatcher::Lane::drop_publisher() noexcept {
  std::unique_ptr<Publisher> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(publisher_);
}

void Dispatcher::Lane::answered() noexcept {
  const std::lock_guard lock(mutex_);
  last_progress_ = now();
  failures_ = 0;
}

void Dispatcher::Lane::failed(std::string_view what, std::string_view reason, Millis retry_after) {
  const DispatcherOptions& options = dispatcher_.options_;
  bool opened = false;
  {
    const std::lock_guard lock(mutex_);
    last_progress_ = now();
    if (failures_ < options.failures_max) opened = ++failures_ == options.failures_max;
    paused_until_ = std::max(paused_until_, now() + std::max(options.pause, retry_after));
  }
  if (opened && options.log) {
    options.log(LogLevel::warning, "dispatcher: destination '" + destination_ +
                                       "' paused, the relay takes its messages: " +
                                       std::string(what) + ": " + std::string(reason));
  }
}

}  // namespace waybill
