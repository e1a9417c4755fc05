// The consumer's side of the confirmation protocol: tells the producer, until it has answered.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/confirm/keys.hpp"
#include "waybill/confirm/request.hpp"
#include "waybill/confirm/signature.hpp"
#include "waybill/inbox_store.hpp"
#include "waybill/log.hpp"

namespace waybill::confirm {

struct SenderOptions {
  std::string consumer;
  Key key;  // signs every request; must be the consumer's
  // Announced: how long the inbox remembers; 1 s … 3650 days.
  std::chrono::seconds retention = std::chrono::days(7);
  std::uint32_t batch_max = 500;                      // items a request, 1…1000
  std::size_t body_bytes_max = std::size_t{1} << 20;  // of a request with several items
  Millis poll_interval{200};  // how often the inbox is read without a ring()
  // From a ring() to the reading: what is consumed meanwhile shares the request and both sides'
  // commits. 0 = read at once.
  Millis gather{50};
  Millis backoff_min{100};  // after a failed request, doubling, ±20 %
  Millis backoff_max{30000};
  std::chrono::seconds give_up_after = std::chrono::hours(24);  // of not_found for one message
  // So many messages may wait that the producer does not know, or refuses; 1 … 100 000.
  std::uint32_t waiting_max = 1000;
  const Clock* clock = nullptr;        // borrowed; null = SteadyClock. Paces messages that wait
  std::function<WallTime()> now = {};  // empty = the host's clock; stamps the signatures
  LogSink log = {};
};

struct SenderStats {
  std::uint64_t confirmed = 0;        // rows
  std::uint64_t failed_requests = 0;  // no answer, or another one than 200
  std::uint64_t given_up = 0;         // rows
};

// Reads inbox rows without `confirmed_at`, posts them, and marks what was answered.
//
// **Guarantee**: every inbox row is confirmed, however long the producer cannot be reached; the
// consumer's own work waits for nothing here. A message that the producer does not know is asked
// for again at growing intervals (1 s … 1 h), beside the others, and given up with an alarm after
// give_up_after; while waiting_max wait, further ones are given up at once, with one alarm: most
// likely no route asks for this consumer, and if one does, the message comes and is confirmed
// again. A batch that the producer refuses (400, 413) is halved; a single row that it
// refuses waits in the same way, and is never given up.
// **Ownership**: borrows the store; owns its thread. **Errors**: start(): fix_call for options out
// of bounds; else what says that the inbox cannot be read.
// **Thread safety**: ring() and stats() from any thread.
class Sender {
 public:
  Sender(InboxStore& store, Post post, SenderOptions options);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  [[nodiscard]] Status start();
  void ring() noexcept;
  // Ends after the request that runs; what is pending stays in the inbox.
  void stop();

  [[nodiscard]] SenderStats stats() const;

 private:
  // A message that the producer did not know or refused.
  struct Waiting {
    Steady first_seen;
    Steady next_try;
    Millis wait;
  };
  enum class Round { more, at_end, refused, failed };
  using Rows = std::vector<PendingConfirmation>;
  using Results = std::vector<ConfirmResult>;

  void work(const std::stop_token& stop);
  [[nodiscard]] Round guarded_round();
  [[nodiscard]] Round round();
  [[nodiscard]] Result<Rows> next_batch();
  [[nodiscard]] Request make_request(Rows& rows);
  [[nodiscard]] std::optional<Results> post(Rows& rows, bool& is_refused);
  [[nodiscard]] Round set_aside(const Rows& rows);
  [[nodiscard]] Round fail(LogLevel level, const std::string& text);
  [[nodiscard]] bool settles(const PendingConfirmation& row, ConfirmResult result);
  Waiting& delay(const PendingConfirmation& row);
  [[nodiscard]] bool is_full() const noexcept { return waiting_.size() >= options_.waiting_max; }
  void give_up(const std::string& why);
  void warn(LogLevel level, const std::string& text);
  bool wait(const std::stop_token& stop, Millis at_most);
  void gather(const std::stop_token& stop);

  InboxStore& store_;
  const Post post_;
  const SenderOptions options_;
  const SteadyClock steady_clock_;
  const Clock& clock_;
  std::unique_ptr<InboxSession> session_;
  std::int64_t after_ = 0;     // paging over the rows
  bool at_end_ = false;        // no row behind after_ when it was read
  std::uint32_t batch_limit_;  // batch_max, or less after a refused batch
  std::map<std::string, Waiting> waiting_;
  bool told_full_ = false;
  Millis backoff_{0};
  std::optional<LogLevel> warned_;
  std::minstd_rand random_{std::random_device{}()};

  mutable std::mutex mutex_;  // guards the members below
  std::condition_variable_any condition_;
  bool rung_ = false;
  SenderStats stats_;
  std::jthread thread_;
};

}  // namespace waybill::confirm
