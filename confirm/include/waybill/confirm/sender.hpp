// The consumer's side of the confirmation protocol: tells the producer, until it has answered.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/confirm/keys.hpp"
#include "waybill/confirm/request.hpp"
#include "waybill/inbox_store.hpp"
#include "waybill/log.hpp"

namespace waybill::confirm {

struct SenderOptions {
  std::string consumer;
  Key key;                                                // signs every request
  std::chrono::seconds retention = std::chrono::days(7);  // announced: how long the inbox remembers
  std::uint32_t batch_max = 500;                          // items a request, 1…1000
  Millis poll_interval{200};  // how often the inbox is read without a ring()
  Millis backoff_min{100};    // after a failed request, doubling, ±20 %
  Millis backoff_max{30000};
  std::chrono::seconds give_up_after = std::chrono::hours(24);  // of not_found for one message
  LogSink log;
};

struct SenderStats {
  std::uint64_t confirmed = 0;
  std::uint64_t failed_requests = 0;
  std::uint64_t given_up = 0;
};

// Reads inbox rows without `confirmed_at`, posts them, and marks what was answered.
//
// **Guarantee**: every inbox row is confirmed, however long the producer cannot be reached; the
// consumer's own work waits for nothing here. A message that the producer does not know is asked
// for again at growing intervals, beside the others, and given up with an alarm after
// give_up_after.
// **Ownership**: borrows the store; owns its thread. **Errors**: start() says whether the inbox can
// be read.
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
  // A message that the producer did not know.
  struct Unknown {
    Steady first_seen;
    Steady next_try;
    Millis wait;
  };
  enum class Round { idle, worked, failed };

  void work(const std::stop_token& stop);
  [[nodiscard]] Round round();
  [[nodiscard]] Result<std::vector<PendingConfirmation>> next_batch();
  [[nodiscard]] Result<std::vector<ConfirmResult>> post(
      const std::vector<PendingConfirmation>& rows);
  [[nodiscard]] bool settles(const PendingConfirmation& row, ConfirmResult result);
  void warn(LogLevel level, const std::string& text);
  void wait(const std::stop_token& stop, Millis at_most);

  InboxStore& store_;
  const Post post_;
  const SenderOptions options_;
  std::unique_ptr<InboxSession> session_;
  std::int64_t after_ = 0;  // paging over rows that wait as unknown
  std::map<std::string, Unknown> unknown_;
  Millis backoff_{0};
  bool warned_ = false;
  std::minstd_rand random_{std::random_device{}()};

  mutable std::mutex mutex_;  // guards the members below
  std::condition_variable_any condition_;
  bool rung_ = false;
  SenderStats stats_;
  std::jthread thread_;
};

}  // namespace waybill::confirm
