// Sends messages from inside the process right after their transaction committed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/log.hpp"
#include "waybill/message.hpp"
#include "waybill/message_store.hpp"
#include "waybill/publisher.hpp"

namespace waybill {

// Numbers are at least 1, times 1 ms to 1 h.
struct DispatcherOptions {
  std::size_t queue_max = 1000;  // messages waiting or in flight, a destination
  std::size_t queue_bytes_max = std::size_t{16} << 20;  // their content, a destination
  Millis send_deadline{500};                            // the longest that a sync call waits
  Millis grace{1000};              // the relay's grace; publishes by 1/2 of it, marks by 3/4
  std::uint32_t failures_max = 3;  // in a row; then a destination is paused
  Millis pause{1000};              // then one message, which nobody waits for, probes
  std::function<void()> ring;      // rings the relay's doorbell; may be empty; must not throw
  LogSink log;
};

struct DispatcherStats {
  std::uint64_t published = 0;  // acked by the broker
  std::uint64_t marked = 0;     // rows advanced by this dispatcher
  std::uint64_t left = 0;       // left to the relay: queue full, too late, failed or in doubt
};

// A message whose transaction has committed.
struct CommittedMessage {
  std::int64_t id = 0;
  Message message;
  std::uint64_t transaction_id = 0;  // PostgreSQL's xid, else 0
};

// How far one call wants its messages sent in process; it can only weaken what the route says.
enum class Handover {
  as_routed,
  no_wait,         // sync becomes async
  leave_to_relay,  // only rings
};

class DispatchWait;

// The in-process sender for routes with dispatch sync or async.
//
//   Dispatcher dispatcher(*store, open_publisher, {.ring = [&] { relay.ring(); }});
//   if (Status started = dispatcher.start(); !started) return started;
//
// A row that it does not send in time stays INIT and is the relay's. Both meet without a shared
// clock: the relay holds rows of such types until it has itself seen them for `grace`; the
// dispatcher, counting from just before COMMIT was sent, publishes within half of it or not at all.
//
// **Guarantee**: a failed or slow send never fails a call whose transaction committed, and never
// delays it beyond send_deadline. A destination that failed failures_max times in a row, or gave no
// sign of life for send_deadline, delays nobody until it answers again. Memory is bounded by the
// queue's limits. Ordered types are never sent from here.
// **Ownership**: borrows the store, which must live longer.
// **Errors**: start() says whether the table can be reached (the store's error), and refuses a
// second start and options out of bounds (fix_call); later trouble leaves rows to the relay and is
// logged.
// **Thread safety**: committed() and stats() from any thread; start() and stop() from one.
class Dispatcher {
 public:
  Dispatcher(MessageStore& store, OpenPublisher open_publisher, DispatcherOptions options = {});
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  [[nodiscard]] Status start();

  // Sends what is queued until `flush` is over, leaves the rest to the relay. May be repeated.
  void stop(Millis flush = Millis(500));

  // To be called after the COMMIT was answered "committed", with the time just before it was sent,
  // and with no transaction open on this thread unless `handover` says no_wait.
  void committed(std::vector<CommittedMessage> messages, Steady commit_sent,
                 Handover handover = Handover::as_routed) noexcept;

  [[nodiscard]] DispatcherStats stats() const noexcept;

 private:
  class Lane;
  struct Counters {
    std::atomic<std::uint64_t> published{0}, marked{0}, left{0};
  };

  void watch_routes(const std::stop_token& stop);
  [[nodiscard]] Status refresh_routes();
  [[nodiscard]] Lane& lane_of(const std::string& destination);
  [[nodiscard]] bool offer(CommittedMessage& message, Steady commit_sent, Handover handover,
                           const std::shared_ptr<DispatchWait>& wait);
  [[nodiscard]] DatabaseTime database_now() const;
  void ring() const noexcept;

  MessageStore& store_;
  const OpenPublisher open_publisher_;
  const DispatcherOptions options_;
  Counters counters_;

  mutable std::mutex mutex_;  // guards the members below
  std::vector<Route> routes_;
  std::int64_t routes_version_ = -1;
  DatabaseTime database_time_{};
  Steady database_time_read_at_{};
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  bool running_ = false;

  std::unique_ptr<RelaySession> route_session_;  // used by start(), then by the watcher only
  std::jthread watcher_;
};

}  // namespace waybill
