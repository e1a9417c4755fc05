#include "waybill/inbox/consumer_loop.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>

#include "inbox_row.hpp"
#include "waybill/message.hpp"
#include "waybill/message_id.hpp"
#include "waybill/route.hpp"
#include "waybill/test_points.hpp"

namespace waybill::inbox {

namespace {

constexpr std::size_t kBatchMax = 1000;

// What the exception in flight says. Only inside a catch block.
std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

void pause(Millis wait, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, wait, [] { return false; });
}

bool has_each_once(const std::vector<Delivery>& batch) {
  std::set<std::string_view> ids;
  return std::all_of(batch.begin(), batch.end(), [&](const Delivery& delivery) {
    return ids.insert(delivery.message_id).second;
  });
}

std::string quoted(std::string_view id) {
  return "'" + storable(id, kMessageIdBytesMax) + "'";
}

}  // namespace

ConsumerLoop::ConsumerLoop(LocalTransaction& transaction, InboxStore& store, Subscriber& subscriber,
                           ConsumerOptions options)
    : transaction_(transaction),
      store_(store),
      subscriber_(subscriber),
      options_(std::move(options)),
      started_at_(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now())) {
}

Status ConsumerLoop::run(std::stop_token stop) {
  std::stop_callback wake(stop, [this] { subscriber_.wake(); });
  while (!stop.stop_requested()) {
    if (auto taken = run_once(stop, options_.receive_wait); !taken) return taken.error();
  }
  return {};
}

Result<std::size_t> ConsumerLoop::run_once(std::stop_token stop, Millis wait) {
  if (auto options = check_options(); !options) return options.error();
  std::vector<Delivery> batch;
  const Steady until = std::chrono::steady_clock::now() + wait;
  if (auto received = subscriber_.receive(until, options_.batch_max, batch); !received) {
    ++receive_failures_;
    if (receive_trouble_.is_to_be_told(received.error().text, std::chrono::steady_clock::now())) {
      log(received.error().remedy == Remedy::fix_call ? LogLevel::alarm : LogLevel::warning,
          "receive failed: " + received.error().to_string());
    }
    pause(wait_after(receive_failures_), stop);
  } else {
    receive_failures_ = 0;
  }
  if (batch.empty()) return 0;
  receive_trouble_.end();
  process(batch, stop);
  return batch.size();
}

ConsumerStats ConsumerLoop::stats() const noexcept {
  return {done_.load(), duplicates_.load(), parked_.load(), given_back_.load()};
}

Status ConsumerLoop::check_options() const {
  const auto refuse = [](std::string text, std::string hint) {
    return Error{Remedy::fix_call, std::move(text), std::move(hint)};
  };
  const auto names = parse_consumers(options_.consumer);
  if (!names || names->size() != 1) {
    return refuse("bad consumer name '" + storable(options_.consumer, kReasonBytesMax) + "'",
                  "use 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  if (options_.attempts_max < 1 || options_.unavailable_max < 1) {
    return refuse("attempts_max and unavailable_max must be at least 1", "use 3 and 10");
  }
  if (options_.batch_max < 1 || options_.batch_max > kBatchMax) {
    return refuse("batch_max is " + std::to_string(options_.batch_max), "use 1 to 1000");
  }
  return {};
}

void ConsumerLoop::process(const std::vector<Delivery>& batch, std::stop_token stop) {
  std::vector<Fate> fates(batch.size(), Fate::again);
  const std::vector<std::string_view> watched = to_watch(batch);
  suspects_.clear();
  if (!watched.empty() && !note(watched, stop)) return settle(batch, fates, stop);
  const bool together = options_.batch_in_one_transaction && batch.size() > 1 && suspects_.empty();
  if (!together || !handle_together(batch, fates, stop)) handle_one_by_one(batch, fates, stop);
  settle(batch, fates, stop);
  if (!watched.empty()) {
    static_cast<void>(with_session(
        [&](InboxSession& session) { return session.end_attempts(options_.consumer, watched); },
        stop));
  }
  const auto given_back = std::count(fates.begin(), fates.end(), Fate::again);
  if (given_back > 0) {
    given_back_ += static_cast<std::uint64_t>(given_back);
    // Without it, a broker that redelivers at once would make this a busy loop.
    pause(options_.later_wait, stop);
  }
}

bool ConsumerLoop::handle_together(const std::vector<Delivery>& batch, std::vector<Fate>& fates,
                                   std::stop_token stop) {
  const bool all_valid = std::all_of(batch.begin(), batch.end(), [](const Delivery& delivery) {
    return delivery.defect.empty() && MessageId::parse(delivery.message_id).ok();
  });
  if (!all_valid) return false;
  std::vector<bool> is_new(batch.size(), true);
  if (!write_and_handle(batch, is_new)) {
    roll_back();
    return false;
  }
  const Attempt committed = commit();
  if (committed.step == Step::in_doubt) {
    log(LogLevel::warning, "commit of a batch is in doubt, delivered again: " + committed.reason);
    return true;
  }
  if (committed.step != Step::done) return false;
  std::fill(fates.begin(), fates.end(), Fate::ack);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (is_new[i]) {
      ++done_;
    } else {
      fates[i] = confirm_again(batch[i], stop);
    }
  }
  ring();
  return true;
}

// Begins, and lets every new message take effect. False: one transaction is not for them, or the
// database is in the way.
bool ConsumerLoop::write_and_handle(const std::vector<Delivery>& batch, std::vector<bool>& is_new) {
  try {
    reconnect_if_needed();
    const Dialect dialect = transaction_.dialect();
    const bool at_once = dialect == Dialect::postgres && has_each_once(batch);
    const bool forbids_commit = dialect == Dialect::postgres;
    if (at_once) {
      // One statement, because a round trip for each row costs more than the row. It does not say
      // which are duplicates; they are rare.
      const InboxRows rows(options_.consumer, batch);
      const Inserted inserted = transaction_.begin_and_insert_inbox_rows(rows.statement());
      if (inserted.rows != batch.size()) return false;
    } else {
      transaction_.begin();
    }
    if (forbids_commit) (void)transaction_.select({kForbidCommit, {}});
    std::vector<std::string_view> written;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      // Not before the effects of those in front of it: where nothing forbids the handler to
      // commit, a row without its effect would be a lost message.
      if (!at_once) {
        const InboxRow row(dialect, options_.consumer, batch[i]);
        is_new[i] = InboxRow::is_new(dialect, transaction_.insert_inbox_row(row.statement()));
      }
      WAYBILL_TEST_POINT("inbox.after_insert");
      if (!is_new[i]) continue;
      if (run_handler(batch[i]).step != Step::done) return false;
      written.push_back(batch[i].message_id);
    }
    if (!forbids_commit) return sees_rows(written);
    (void)transaction_.select({kAllowCommit, {}});
    return true;
  } catch (...) {
    may_be_lost_ = true;
    log(LogLevel::warning, "a batch is handled one by one: " + current_exception_text());
    return false;
  }
}

void ConsumerLoop::handle_one_by_one(const std::vector<Delivery>& batch, std::vector<Fate>& fates,
                                     std::stop_token stop) {
  std::set<std::string_view> held_keys;
  for (std::size_t i = 0; i < batch.size() && !stop.stop_requested(); ++i) {
    const std::string& key = batch[i].key;
    if (!key.empty() && held_keys.contains(key)) continue;
    fates[i] = suspects_.contains(batch[i].message_id) ? handle_suspect(batch[i], stop)
                                                       : handle(batch[i], stop);
    if (fates[i] == Fate::again && !key.empty()) held_keys.insert(key);
  }
}

// The messages of the batch that may have ended the process before: those that were sent before it
// started. Whatever the clocks say, the others are recognised one restart later.
std::vector<std::string_view> ConsumerLoop::to_watch(const std::vector<Delivery>& batch) {
  std::vector<std::string_view> watched;
  if (options_.crashes_max == 0) return watched;
  for (const Delivery& delivery : batch) {
    if (seen_ == options_.watched_max) break;
    ++seen_;
    if (delivery.sent_at <= started_at_ && MessageId::parse(delivery.message_id)) {
      watched.push_back(delivery.message_id);
    }
  }
  return watched;
}

// Notes them and learns which of them are suspects. False: the inbox cannot be written.
bool ConsumerLoop::note(const std::vector<std::string_view>& watched, std::stop_token stop) {
  const auto write = [&](InboxSession& session) -> Status {
    const auto known = session.note_attempts(options_.consumer, watched);
    if (!known) return known.error();
    for (std::size_t i = 0; i < watched.size(); ++i) {
      if ((*known)[i]) suspects_.emplace(watched[i]);
    }
    return {};
  };
  const Status noted = with_session(write, stop);
  if (!noted) {
    log(LogLevel::warning, "a batch goes back to the broker: " + noted.error().to_string());
  }
  return noted.ok();
}

// Alone, with a count before and after: what is never taken back ended the process.
ConsumerLoop::Fate ConsumerLoop::handle_suspect(const Delivery& delivery, std::stop_token stop) {
  std::uint32_t begun = 0;
  const auto begin_attempt = [&](InboxSession& session) -> Status {
    const auto attempts = session.begin_attempt(options_.consumer, delivery.message_id);
    if (!attempts) return attempts.error();
    begun = *attempts;
    return {};
  };
  if (!with_session(begin_attempt, stop)) return Fate::again;
  const std::uint32_t crashes = begun - 1;
  const Fate fate = crashes < options_.crashes_max
                        ? handle(delivery, stop)
                        : park(delivery,
                               "the process ended " + std::to_string(crashes) +
                                   " times while it handled this message alone",
                               crashes, stop);
  const std::string_view ended[] = {delivery.message_id};
  // At worst its next try counts one more.
  static_cast<void>(with_session(
      [&](InboxSession& session) { return session.end_attempts(options_.consumer, ended); }, stop));
  return fate;
}

ConsumerLoop::Fate ConsumerLoop::handle(const Delivery& delivery, std::stop_token stop) {
  if (const auto id = MessageId::parse(delivery.message_id); !id) {
    return park(delivery, "malformed message id: " + id.error().text, 0, stop);
  }
  if (!delivery.defect.empty()) return park(delivery, delivery.defect, 0, stop);
  const std::string name = "message " + quoted(delivery.message_id);
  std::uint32_t attempts = 0;
  std::uint32_t unavailable = 0;
  while (true) {
    const Attempt made = attempt(delivery);
    switch (made.step) {
      case Step::done:
        ++done_;
        ring();
        return Fate::ack;
      case Step::duplicate:
        return confirm_again(delivery, stop);
      case Step::failed:
        return park(delivery, made.reason, attempts + 1, stop);
      case Step::later:
        return Fate::again;
      case Step::in_doubt:
        log(LogLevel::warning, name + ": commit in doubt, delivered again: " + made.reason);
        return Fate::again;
      case Step::threw:
        ++attempts;
        log(LogLevel::warning, name + ": attempt " + std::to_string(attempts) + " of " +
                                   std::to_string(options_.attempts_max) + ": " + made.reason);
        if (attempts >= options_.attempts_max) return park(delivery, made.reason, attempts, stop);
        break;
      case Step::unavailable:
        ++unavailable;
        if (unavailable >= options_.unavailable_max) {
          log(LogLevel::alarm, name + " goes back to the broker: " + made.reason);
          return Fate::again;
        }
        break;
    }
    pause(wait_after(attempts + unavailable), stop);
    if (stop.stop_requested()) return Fate::again;
  }
}

ConsumerLoop::Attempt ConsumerLoop::attempt(const Delivery& delivery) {
  Attempt made = begin_and_handle(delivery);
  if (made.step == Step::done) return commit();
  roll_back();
  return made;
}

// The caller's connection, if the last transaction left a doubt about it. Throws as the caller
// does.
void ConsumerLoop::reconnect_if_needed() {
  if (may_be_lost_ && options_.reconnect) options_.reconnect();
  may_be_lost_ = false;
}

// False: a handler rolled back and began anew, so that they are gone and its effects would stand
// alone.
bool ConsumerLoop::sees_rows(std::span<const std::string_view> message_ids) {
  if (message_ids.empty()) return true;
  const InboxRowsSeen seen(transaction_.dialect(), options_.consumer, message_ids);
  return transaction_.select(seen.statement()).at(0).at(0) == std::to_string(message_ids.size());
}

ConsumerLoop::Attempt ConsumerLoop::begin_and_handle(const Delivery& delivery) {
  try {
    reconnect_if_needed();
    const Dialect dialect = transaction_.dialect();
    const InboxRow row(dialect, options_.consumer, delivery);
    if (!InboxRow::is_new(dialect, transaction_.begin_and_insert_inbox_row(row.statement()))) {
      return {Step::duplicate, {}};
    }
  } catch (...) {
    may_be_lost_ = true;
    return {Step::unavailable,
            "cannot begin a transaction with the inbox row: " + current_exception_text()};
  }
  WAYBILL_TEST_POINT("inbox.after_insert");
  Attempt handled = run_handler(delivery);
  // Without batches it would cost each message a round trip.
  if (handled.step != Step::done || !options_.batch_in_one_transaction) return handled;
  try {
    const std::string_view ids[] = {delivery.message_id};
    if (!sees_rows(ids)) return {Step::threw, "the handler rolled its inbox row back"};
  } catch (...) {
    may_be_lost_ = true;
    return {Step::unavailable, "cannot read the inbox row: " + current_exception_text()};
  }
  return handled;
}

ConsumerLoop::Attempt ConsumerLoop::run_handler(const Delivery& delivery) {
  HandlerResult result;
  try {
    result = transaction_.handle(delivery);
  } catch (...) {
    const std::string reason = current_exception_text();
    // The server ended the transaction, or is gone: that is no fault of the message.
    may_be_lost_ = status() == TransactionStatus::idle;
    return {may_be_lost_ ? Step::unavailable : Step::threw, reason};
  }
  if (result.verdict == Verdict::failed) return {Step::failed, result.reason};
  if (result.verdict == Verdict::later) return {Step::later, {}};
  // Some errors end the transaction on the server without the handler noticing; what it wrote
  // afterwards stood alone.
  const TransactionStatus ended = status();
  if (ended == TransactionStatus::idle || ended == TransactionStatus::failed) {
    return {Step::threw, "the transaction ended inside the handler"};
  }
  return {Step::done, {}};
}

ConsumerLoop::Attempt ConsumerLoop::commit() {
  WAYBILL_TEST_POINT("inbox.before_commit");
  std::string trouble = "the database rolled back instead of committing";
  try {
    switch (transaction_.commit()) {
      case CommitAnswer::committed:
        return {Step::done, {}};
      case CommitAnswer::rolled_back:
        break;
      case CommitAnswer::unknown:
        may_be_lost_ = true;
        return {Step::in_doubt, "the answer to COMMIT was lost"};
    }
  } catch (...) {
    trouble = "commit failed: " + current_exception_text();
    may_be_lost_ = true;
    // Refused for sure only if the transaction is still there.
    if (status() != TransactionStatus::open) return {Step::in_doubt, trouble};
  }
  roll_back();
  return {Step::threw, trouble};
}

TransactionStatus ConsumerLoop::status() noexcept {
  try {
    return transaction_.status();
  } catch (...) {
    return TransactionStatus::unknown;
  }
}

void ConsumerLoop::roll_back() noexcept {
  try {
    if (status() != TransactionStatus::idle) transaction_.rollback();
  } catch (...) {
    // The next begin tells whether the connection still works.
    log(LogLevel::warning, "rollback failed: " + current_exception_text());
  }
}

ConsumerLoop::Fate ConsumerLoop::confirm_again(const Delivery& delivery, std::stop_token stop) {
  const Status reopened = with_session(
      [&](InboxSession& session) {
        return session.reopen(options_.consumer, delivery.message_id, delivery.epoch,
                              delivery.sent_at);
      },
      stop);
  if (!reopened) {
    log(LogLevel::warning, "duplicate " + quoted(delivery.message_id) +
                               " goes back to the broker: " + reopened.error().to_string());
    return Fate::again;
  }
  ++duplicates_;
  ring();
  return Fate::ack;
}

ConsumerLoop::Fate ConsumerLoop::park(const Delivery& delivery, std::string_view reason,
                                      std::uint32_t attempts, std::stop_token stop) {
  const bool valid = MessageId::parse(delivery.message_id).ok();
  ParkedMessage message;
  message.message_id = valid ? delivery.message_id : spell_malformed_id(delivery.message_id);
  message.message_type = storable(delivery.message_type, kMessageTypeCharsMax);
  message.body = delivery.body;
  message.reason = storable(reason.empty() ? "no reason given" : reason, kReasonBytesMax);
  message.epoch = delivery.epoch;
  message.attempts = attempts;
  // What no column can hold as it is, is not kept: another key would be another order.
  if (is_storable_text(delivery.key)) message.key = delivery.key;
  if (is_storable_text(delivery.traceparent)) message.traceparent = delivery.traceparent;
  const Status parked = with_session(
      [&](InboxSession& session) {
        return session.park(options_.consumer, message, delivery.sent_at);
      },
      stop);
  if (!parked) {
    log(LogLevel::alarm, "cannot park " + quoted(message.message_id) +
                             ", it goes back to the broker: " + parked.error().to_string());
    return Fate::again;
  }
  log(LogLevel::alarm, "parked " + quoted(message.message_id) + ": " + message.reason);
  ++parked_;
  ring();
  return Fate::ack;
}

Status ConsumerLoop::with_session(const SessionCall& call, std::stop_token stop) {
  Error last;
  for (std::uint32_t failures = 0; failures < options_.unavailable_max;) {
    if (session_ == nullptr) {
      auto opened = store_.open();
      if (opened) {
        session_ = std::move(opened).value();
      } else {
        last = opened.error();
      }
    }
    if (session_ != nullptr) {
      const Status called = call(*session_);
      if (called) return called;
      last = called.error();
      session_.reset();
    }
    ++failures;
    if (last.remedy == Remedy::fix_call || stop.stop_requested()) break;
    pause(wait_after(failures), stop);
  }
  return last;
}

void ConsumerLoop::settle(const std::vector<Delivery>& batch, const std::vector<Fate>& fates,
                          std::stop_token stop) {
  std::vector<std::uint64_t> acked;
  std::vector<std::uint64_t> again;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    (fates[i] == Fate::ack ? acked : again).push_back(batch[i].token);
  }
  settle(acked, Settle::ack, stop);
  settle(again, Settle::again, stop);
}

void ConsumerLoop::settle(std::span<const std::uint64_t> tokens, Settle how, std::stop_token stop) {
  if (tokens.empty()) return;
  WAYBILL_TEST_POINT("inbox.after_commit");
  for (std::uint32_t failures = 0; failures < options_.unavailable_max;) {
    const Status settled = subscriber_.settle(tokens, how);
    if (settled) {
      WAYBILL_TEST_POINT("inbox.after_settle");
      return;
    }
    ++failures;
    log(LogLevel::warning, "settle failed: " + settled.error().to_string());
    if (settled.error().remedy == Remedy::fix_call || stop.stop_requested()) return;
    pause(wait_after(failures), stop);
  }
  // Not lost: the broker delivers them again, and the inbox knows them.
}

void ConsumerLoop::ring() const {
  if (options_.ring) options_.ring();
}

Millis ConsumerLoop::wait_after(std::uint32_t failures) const noexcept {
  Millis wait = options_.retry_wait;
  for (std::uint32_t i = 1; i < failures && wait < options_.retry_wait_max; ++i) wait *= 2;
  return std::min(wait, options_.retry_wait_max);
}

void ConsumerLoop::log(LogLevel level, const std::string& text) const {
  if (options_.log) options_.log(level, "consumer " + options_.consumer + ": " + text);
}

}  // namespace waybill::inbox
