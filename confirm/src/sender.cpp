#include "waybill/confirm/sender.hpp"

#include <algorithm>
#include <utility>

#include "waybill/confirm/batch.hpp"
#include "waybill/test_points.hpp"

namespace waybill::confirm {
namespace {

constexpr std::uint32_t kWaitingLimit = 100'000;
constexpr Millis kWaitMin{1000};
constexpr Millis kWaitMax = std::chrono::hours(1);

std::string random_id(std::minstd_rand& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id = "msg_";
  for (int i = 0; i < 24; ++i) id += kHex[random() % kHex.size()];
  return id;
}

WallTime host_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Status check(const SenderOptions& options) {
  const auto refuse = [](std::string text, std::string hint) {
    return Error{Remedy::fix_call, std::move(text), std::move(hint)};
  };
  if (const auto ring = KeyRing::make({options.key}); !ring) return ring.error();
  if (options.key.consumer != options.consumer) {
    return refuse("key '" + options.key.id + "' belongs to '" + options.key.consumer +
                      "', not to consumer '" + options.consumer + "'",
                  "sign with a key of this consumer");
  }
  if (options.batch_max < 1 || options.batch_max > kItemsMax) {
    return refuse("batch_max is " + std::to_string(options.batch_max), "1 to 1000");
  }
  if (options.retention < std::chrono::seconds(1) || options.retention > kRetentionMax) {
    return refuse("retention is " + std::to_string(options.retention.count()) + " s",
                  "1 s to 3650 days");
  }
  if (options.waiting_max < 1 || options.waiting_max > kWaitingLimit) {
    return refuse("waiting_max is " + std::to_string(options.waiting_max), "1 to 100000");
  }
  if (options.poll_interval < Millis(1) || options.gather < Millis(0) ||
      options.backoff_min < Millis(1) || options.backoff_max < options.backoff_min) {
    return refuse("poll_interval, gather, backoff_min or backoff_max is out of bounds",
                  "at least 1 ms each (gather 0), backoff_max not below backoff_min");
  }
  return {};
}

}  // namespace

Sender::Sender(InboxStore& store, Post post, SenderOptions options)
    : store_(store),
      post_(std::move(post)),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : steady_clock_),
      batch_limit_(options_.batch_max) {}

Sender::~Sender() {
  stop();
}

Status Sender::start() {
  if (Status checked = check(options_); !checked) return checked;
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
    const Round ended = guarded_round();
    // Rows that a duplicate reopened, or that waited long enough, stand before after_.
    if (ended != Round::more) after_ = 0;
    if (ended == Round::more || ended == Round::at_end) {
      backoff_ = Millis(0);
      warned_.reset();
    }
    if (ended == Round::at_end && wait(stop, options_.poll_interval)) gather(stop);
    if (ended == Round::refused) wait(stop, options_.backoff_min);
    if (ended == Round::failed) {
      backoff_ = std::clamp(backoff_ * 2, options_.backoff_min, options_.backoff_max);
      const auto percent = static_cast<std::int64_t>(80 + random_() % 41);
      wait(stop, backoff_ * percent / 100);
    }
  }
}

// True when a ring ended it.
bool Sender::wait(const std::stop_token& stop, Millis at_most) {
  std::unique_lock lock(mutex_);
  const bool backing_off = backoff_ > Millis(0);
  condition_.wait_for(lock, stop, at_most, [&] { return rung_ && !backing_off; });
  return std::exchange(rung_, false);
}

// A ring within this time is heard: what it rang for is read behind it.
void Sender::gather(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  condition_.wait_for(lock, stop, options_.gather, [] { return false; });
  rung_ = false;
}

// What is called here is the user's: a Post, a store, a log.
Sender::Round Sender::guarded_round() {
  try {
    return round();
  } catch (const std::exception& error) {
    return fail(LogLevel::warning, std::string("an exception: ") + error.what());
  }
}

Sender::Round Sender::fail(LogLevel level, const std::string& text) {
  warn(level, text);
  session_.reset();
  return Round::failed;
}

// Rows that wait are skipped, so that they hold nobody else up.
Result<Sender::Rows> Sender::next_batch() {
  const Steady now = clock_.now();
  Rows batch;
  at_end_ = false;
  while (batch.empty() && !at_end_) {
    auto rows = session_->pending(options_.consumer, after_, batch_limit_);
    if (!rows) return rows.error();
    at_end_ = rows->size() < batch_limit_;
    if (!rows->empty()) after_ = rows->back().position;
    for (PendingConfirmation& row : *rows) {
      const auto waiting = waiting_.find(row.message_id);
      if (waiting == waiting_.end() || waiting->second.next_try <= now) {
        batch.push_back(std::move(row));
      }
    }
  }
  return batch;
}

Sender::Round Sender::round() {
  if (!session_) {
    auto session = store_.open();
    if (!session) return fail(LogLevel::warning, session.error().to_string());
    session_ = std::move(*session);
  }
  auto rows = next_batch();
  if (!rows) return fail(LogLevel::warning, rows.error().to_string());
  if (rows->empty()) return Round::at_end;
  bool is_refused = false;
  const auto results = post(*rows, is_refused);
  if (is_refused) return set_aside(*rows);
  if (!results) return Round::failed;
  batch_limit_ = std::min(batch_limit_ * 2, options_.batch_max);
  Rows answered;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    if (settles((*rows)[i], (*results)[i])) answered.push_back((*rows)[i]);
  }
  WAYBILL_TEST_POINT("confirm.before_note");
  if (const Status marked = session_->confirmed(options_.consumer, answered); !marked) {
    return fail(LogLevel::warning, marked.error().to_string());
  }
  const std::lock_guard lock(mutex_);
  stats_.confirmed += answered.size();
  return at_end_ ? Round::at_end : Round::more;
}

// Keeps as many of the rows as fit into a body.
Request Sender::make_request(Rows& rows) {
  Request request;
  for (;;) {
    std::vector<Confirmation> items;
    for (const PendingConfirmation& row : rows) {
      items.push_back({row.message_id, options_.consumer, row.verdict, row.reason, row.epoch,
                       row.sent_at, options_.retention});
    }
    request.body = encode_batch(items);
    if (request.body.size() <= options_.body_bytes_max || rows.size() == 1) break;
    rows.resize(rows.size() / 2);
    after_ = rows.back().position;
    at_end_ = false;
  }
  request.headers.emplace_back("content-type", "application/json");
  sign(request, options_.key, random_id(random_), options_.now ? options_.now() : host_time());
  return request;
}

std::optional<Sender::Results> Sender::post(Rows& rows, bool& is_refused) {
  const Request request = make_request(rows);
  WAYBILL_TEST_POINT("confirm.before_post");
  const auto reply = post_(request);
  std::string failure;
  LogLevel level = LogLevel::warning;
  if (!reply) {
    failure = reply.error().to_string();
  } else if (reply->status == kPublished) {
    return Results(rows.size(), ConfirmResult::done);
  } else if (reply->status == 200) {
    auto results = parse_results(reply->body, rows.size());
    if (results) return std::move(*results);
    failure = results.error().text;
  } else {
    failure = "the endpoint answered " + std::to_string(reply->status) +
              (reply->status == 401 ? " (check the key and both hosts' clocks)"
                                    : " (see the producer's log)");
    if (reply->status >= 400 && reply->status < 500) level = LogLevel::alarm;
    is_refused = reply->status == 400 || reply->status == 413;
  }
  warn(level, failure);
  const std::lock_guard lock(mutex_);
  ++stats_.failed_requests;
  return std::nullopt;
}

// Finds the row that the producer refuses, and lets it wait.
Sender::Round Sender::set_aside(const Rows& rows) {
  if (rows.size() > 1) {
    batch_limit_ = static_cast<std::uint32_t>(rows.size() / 2);
    return Round::refused;
  }
  // So many are no matter of single rows.
  if (is_full() && !waiting_.contains(rows.front().message_id)) return Round::failed;
  delay(rows.front());
  if (options_.log) {
    options_.log(LogLevel::alarm, "confirm: the producer refuses the confirmation of " +
                                      rows.front().message_id + "; it waits");
  }
  return Round::refused;
}

Sender::Waiting& Sender::delay(const PendingConfirmation& row) {
  const Steady now = clock_.now();
  const auto [entry, is_new] = waiting_.try_emplace(row.message_id, Waiting{now, now, kWaitMin});
  Waiting& waiting = entry->second;
  if (!is_new) waiting.wait = std::min(waiting.wait * 2, kWaitMax);
  waiting.next_try = now + waiting.wait;
  return waiting;
}

bool Sender::settles(const PendingConfirmation& row, ConfirmResult result) {
  if (result != ConfirmResult::not_found) {
    waiting_.erase(row.message_id);
    if (!is_full()) told_full_ = false;
    return true;
  }
  if (is_full() && !waiting_.contains(row.message_id)) {
    give_up(std::exchange(told_full_, true)
                ? ""
                : "the producer does not know " + std::to_string(waiting_.size()) +
                      " messages, nor " + row.message_id +
                      "; further confirmations are given up at once (does a route require '" +
                      options_.consumer + "'?)");
    return true;
  }
  if (clock_.now() - delay(row).first_seen < options_.give_up_after) return false;
  waiting_.erase(row.message_id);
  give_up("the producer does not know " + row.message_id + "; its confirmation is given up");
  return true;
}

// `why` is empty when it was told before.
void Sender::give_up(const std::string& why) {
  if (options_.log && !why.empty()) options_.log(LogLevel::alarm, "confirm: " + why);
  const std::lock_guard lock(mutex_);
  ++stats_.given_up;
}

// Once per trouble and degree; again after it healed.
void Sender::warn(LogLevel level, const std::string& text) {
  if (!options_.log || (warned_ && *warned_ >= level)) return;
  warned_ = level;
  options_.log(level, "confirm: " + text);
}

}  // namespace waybill::confirm
