#include "waybill/confirm/sender.hpp"

#include <algorithm>

#include "waybill/confirm/batch.hpp"
#include "waybill/confirm/signature.hpp"

namespace waybill::confirm {
namespace {

constexpr Millis kUnknownWaitMin{1000};
constexpr Millis kUnknownWaitMax = std::chrono::hours(1);

std::string random_id(std::minstd_rand& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id = "msg_";
  for (int i = 0; i < 24; ++i) id += kHex[random() % kHex.size()];
  return id;
}

WallTime host_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace

Sender::Sender(InboxStore& store, Post post, SenderOptions options)
    : store_(store), post_(std::move(post)), options_(std::move(options)) {}

Sender::~Sender() {
  stop();
}

Status Sender::start() {
  if (options_.batch_max < 1 || options_.batch_max > kItemsMax) {
    return Error{Remedy::fix_call, "batch_max is " + std::to_string(options_.batch_max),
                 "1 to 1000"};
  }
  auto session = store_.open();
  if (!session) return session.error();
  session_ = std::move(*session);
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  return {};
}

void Sender::ring() noexcept {
  {
    const std::lock_guard lock(mutex_);
    rung_ = true;
  }
  condition_.notify_all();
}

void Sender::stop() {
  thread_ = {};
}

SenderStats Sender::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Sender::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    switch (round()) {
      case Round::worked:
        backoff_ = Millis(0);
        warned_ = false;
        break;
      case Round::idle:
        after_ = 0;
        wait(stop, options_.poll_interval);
        break;
      case Round::failed: {
        backoff_ = std::clamp(backoff_ * 2, options_.backoff_min, options_.backoff_max);
        const auto percent = static_cast<std::int64_t>(80 + random_() % 41);
        wait(stop, backoff_ * percent / 100);
        break;
      }
    }
  }
}

void Sender::wait(const std::stop_token& stop, Millis at_most) {
  std::unique_lock lock(mutex_);
  const bool backing_off = backoff_ > Millis(0);
  condition_.wait_for(lock, stop, at_most, [&] { return rung_ && !backing_off; });
  rung_ = false;
}

// Rows that wait as unknown are skipped, so that they hold nobody else up.
Result<std::vector<PendingConfirmation>> Sender::next_batch() {
  const Steady now = std::chrono::steady_clock::now();
  std::vector<PendingConfirmation> batch;
  while (batch.empty()) {
    auto rows = session_->pending(options_.consumer, after_, options_.batch_max);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    after_ = rows->back().position;
    for (PendingConfirmation& row : *rows) {
      const auto unknown = unknown_.find(row.message_id);
      if (unknown == unknown_.end() || unknown->second.next_try <= now)
        batch.push_back(std::move(row));
    }
  }
  return batch;
}

Sender::Round Sender::round() {
  if (!session_) {
    auto session = store_.open();
    if (!session) {
      warn(LogLevel::warning, session.error().to_string());
      return Round::failed;
    }
    session_ = std::move(*session);
  }
  const auto rows = next_batch();
  if (!rows) {
    warn(LogLevel::warning, rows.error().to_string());
    session_.reset();
    return Round::failed;
  }
  if (rows->empty()) return Round::idle;
  const auto results = post(*rows);
  if (!results) {
    after_ = 0;
    return Round::failed;
  }
  std::vector<PendingConfirmation> answered;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    if (settles((*rows)[i], (*results)[i])) answered.push_back((*rows)[i]);
  }
  if (const Status marked = session_->confirmed(options_.consumer, answered); !marked) {
    warn(LogLevel::warning, marked.error().to_string());
    after_ = 0;
    return Round::failed;
  }
  const std::lock_guard lock(mutex_);
  stats_.confirmed += answered.size();
  return Round::worked;
}

Result<std::vector<ConfirmResult>> Sender::post(const std::vector<PendingConfirmation>& rows) {
  std::vector<Confirmation> items;
  for (const PendingConfirmation& row : rows) {
    items.push_back({row.message_id, options_.consumer, row.verdict, row.reason, row.epoch,
                     row.sent_at, options_.retention});
  }
  Request request;
  request.headers.emplace_back("content-type", "application/json");
  request.body = encode_batch(items);
  sign(request, options_.key, random_id(random_), host_time());
  const auto reply = post_(request);
  Result<std::vector<ConfirmResult>> results =
      !reply ? Result<std::vector<ConfirmResult>>(reply.error())
      : reply->status == 200
          ? parse_results(reply->body, items.size())
          : Error{Remedy::fix_call, "the endpoint answered " + std::to_string(reply->status),
                  reply->status == 401 ? "check the key and both hosts' clocks"
                                       : "see the producer's log"};
  if (results) return results;
  const bool ours = reply && reply->status >= 400 && reply->status < 500;
  warn(ours ? LogLevel::alarm : LogLevel::warning, results.error().to_string());
  const std::lock_guard lock(mutex_);
  ++stats_.failed_requests;
  return results;
}

bool Sender::settles(const PendingConfirmation& row, ConfirmResult result) {
  if (result != ConfirmResult::not_found) {
    unknown_.erase(row.message_id);
    return true;
  }
  const Steady now = std::chrono::steady_clock::now();
  const auto [entry, is_new] =
      unknown_.try_emplace(row.message_id, Unknown{now, now, kUnknownWaitMin});
  Unknown& unknown = entry->second;
  if (now - unknown.first_seen >= options_.give_up_after) {
    unknown_.erase(entry);
    if (options_.log) {
      options_.log(LogLevel::alarm, "confirm: the producer does not know " + row.message_id +
                                        "; its confirmation is given up");
    }
    const std::lock_guard lock(mutex_);
    ++stats_.given_up;
    return true;
  }
  if (!is_new) unknown.wait = std::min(unknown.wait * 2, kUnknownWaitMax);
  unknown.next_try = now + unknown.wait;
  return false;
}

// Once per trouble; again after it healed.
void Sender::warn(LogLevel level, const std::string& text) {
  if (warned_ || !options_.log) return;
  warned_ = true;
  options_.log(level, "confirm: " + text);
}

}  // namespace waybill::confirm
