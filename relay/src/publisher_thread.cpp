#include "publisher_thread.hpp"

#include <algorithm>

#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

constexpr std::size_t kSubmitMax = 256;
constexpr Millis kPollSlice{50};
constexpr Millis kHeartbeat{1000};
constexpr std::size_t kReasonBytesMax = 512;
// So many unreachable outcomes in a row, and the connection is opened anew.
constexpr std::uint32_t kReopenAfter = 3;

std::int64_t microseconds(Steady time) noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

DatabaseTime PublishLimits::database_time(Steady now) const noexcept {
  return DatabaseTime(std::chrono::microseconds(microseconds(now) + database_offset_us.load()));
}

void PublishLimits::database_was(DatabaseTime time, Steady at) noexcept {
  database_offset_us = time.time_since_epoch().count() - microseconds(at);
}

PublisherThread::PublisherThread(std::string destination, const OpenPublisher& open,
                                 const Clock& clock, const PublishLimits& limits, Inbox& inbox)
    : destination_(std::move(destination)),
      open_(open),
      clock_(clock),
      limits_(limits),
      inbox_(inbox),
      thread_([this] { work(); }) {}

PublisherThread::~PublisherThread() {
  close(clock_.now());
  thread_.join();
}

void PublisherThread::put(const std::vector<const Payload*>& payloads) {
  const std::lock_guard lock(mutex_);
  incoming_.insert(incoming_.end(), payloads.begin(), payloads.end());
  changed_.notify_one();
  if (publisher_) publisher_->wake();
}

void PublisherThread::close(Steady deadline) {
  const std::lock_guard lock(mutex_);
  close_by_ = closing_ ? std::min(close_by_, deadline) : deadline;
  closing_ = true;
  changed_.notify_one();
  if (publisher_) publisher_->wake();
}

void PublisherThread::work() {
  while (wait_for_work()) {
    submit();
    if (!in_flight_.empty() || !pending_.empty()) {
      if (publisher_) publisher_->poll(clock_.now() + kPollSlice, *this);
    }
    if (!answers_.empty()) inbox_.put(answers_);
    if (unreachable_ >= kReopenAfter && in_flight_.empty()) {
      drop_publisher();
      unreachable_ = 0;
    }
  }
  finish();
}

// False when it is time to close.
bool PublisherThread::wait_for_work() {
  std::unique_lock lock(mutex_);
  while (incoming_.empty() && pending_.empty() && in_flight_.empty() && !closing_) {
    const bool changed =
        changed_.wait_for(lock, kHeartbeat, [this] { return closing_ || !incoming_.empty(); });
    if (!changed && publisher_) {
      lock.unlock();
      publisher_->poll(clock_.now(), *this);  // heartbeats
      lock.lock();
    }
  }
  pending_.insert(pending_.end(), incoming_.begin(), incoming_.end());
  incoming_.clear();
  return !closing_;
}

void PublisherThread::submit() {
  while (!pending_.empty()) {
    const Steady now = clock_.now();
    if (now.time_since_epoch().count() >= limits_.until.load()) {
      return refuse_pending(std::nullopt, {});
    }
    if (!open()) return;
    std::vector<Outgoing> batch;
    for (std::size_t i = 0; i < std::min(pending_.size(), kSubmitMax); ++i) {
      const Payload& payload = *pending_[i];
      Outgoing message;
      message.token = static_cast<std::uint64_t>(payload.row.id);
      message.destination = destination_;
      message.message_id = payload.message_id;
      message.message_type = payload.row.message_type;
      message.key = payload.row.key;
      message.body = payload.row.content;
      message.traceparent = payload.row.traceparent;
      message.epoch = payload.row.epoch;
      message.sent_at = limits_.database_time(now);
      batch.push_back(message);
    }
    WAYBILL_TEST_POINT("relay.before_publish");
    const std::size_t accepted = std::min(publisher_->submit(batch), batch.size());
    for (std::size_t i = 0; i < accepted; ++i) in_flight_.insert(batch[i].token);
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(accepted));
    if (accepted < batch.size()) return;
  }
}

bool PublisherThread::open() {
  if (publisher_) return true;
  auto opened = open_(destination_);
  if (!opened) {
    const bool passing = opened.error().remedy != Remedy::fix_call;
    refuse_pending(passing ? PublishResult::unreachable : PublishResult::destination_down,
                   opened.error().to_string());
    return false;
  }
  const std::lock_guard lock(mutex_);
  publisher_ = std::move(*opened);
  return true;
}

void PublisherThread::refuse_pending(std::optional<PublishResult> result,
                                     const std::string& reason) {
  for (const Payload* payload : pending_) {
    answers_.push_back({payload->row.id, result, Millis(0), reason});
  }
  pending_.clear();
}

void PublisherThread::on_outcome(const PublishOutcome& outcome) {
  if (in_flight_.erase(outcome.token) == 0) return;
  if (outcome.result == PublishResult::acked) WAYBILL_TEST_POINT("relay.after_ack");
  const bool unreachable = outcome.result == PublishResult::unreachable;
  unreachable_ = unreachable ? unreachable_ + 1 : 0;
  answers_.push_back({static_cast<std::int64_t>(outcome.token), outcome.result, outcome.retry_after,
                      std::string(outcome.reason.substr(0, kReasonBytesMax))});
}

void PublisherThread::finish() {
  refuse_pending(std::nullopt, {});
  inbox_.put(answers_);
  if (publisher_ && !in_flight_.empty()) {
    Steady deadline;
    {
      const std::lock_guard lock(mutex_);
      deadline = close_by_;
    }
    publisher_->close(deadline, *this);
  }
  for (const std::uint64_t token : in_flight_) {
    answers_.push_back({static_cast<std::int64_t>(token), PublishResult::unknown, Millis(0), {}});
  }
  in_flight_.clear();
  inbox_.put(answers_);
  drop_publisher();
  const std::lock_guard lock(mutex_);
  for (const Payload* payload : incoming_) {
    answers_.push_back({payload->row.id, std::nullopt, Millis(0), {}});
  }
  incoming_.clear();
  inbox_.put(answers_);
}

// Destroyed after the lock, because the engine thread needs it and a client may take its time.
void PublisherThread::drop_publisher() {
  std::unique_ptr<Publisher> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(publisher_);
}

}  // namespace waybill::relay
