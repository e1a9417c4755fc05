// Runs the relay of one message table: threads, sessions and publishers around the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/log.hpp"
#include "waybill/message_store.hpp"
#include "waybill/publisher.hpp"
#include "waybill/relay/engine_options.hpp"

namespace waybill::relay {

struct RunnerOptions {
  // Name in the lease row, where '#' and eight random digits follow, others at each start: relays
  // may share it. A text of at most 200 bytes; empty = host name and process id.
  std::string holder{};
  EngineOptions engine{};      // every limit and wait
  std::uint32_t sessions = 2;  // store sessions, each with a thread; 1…16
  LogSink log{};               // empty: silent
  std::string doorbell{};      // name that other processes ring by ring_doorbell(); empty: none
  std::uint64_t seed = 0;      // of the jitter; 0 = by chance
};

enum class BreakerState {
  closed,   // publishing
  open,     // stopped; one probe at a time
  ramping,  // healed; growing back to the full window
};

[[nodiscard]] std::string_view to_string(BreakerState state) noexcept;

struct DestinationStats {
  std::string destination;
  BreakerState breaker = BreakerState::closed;
  std::uint64_t in_flight = 0;
};

struct RunnerStats {
  std::uint64_t published = 0;  // acknowledged by a broker
  std::uint64_t marked = 0;     // rows that this relay advanced
  std::uint64_t refused = 0;    // messages that a broker refused
  std::uint64_t resent = 0;     // copies of messages that a broker had acknowledged before
  std::uint64_t dead = 0;       // messages that this relay gave up
  std::uint64_t in_flight = 0;  // rows in memory: read, publishing or being marked; after a stop
                                // those whose publish was not answered, or whose mark was not made
  bool is_leader = false;       // holds the lease and may publish
  std::uint64_t fence = 0;      // of the lease held last
  std::vector<DestinationStats> destinations;
  std::string last_error;  // the newest failure of store or broker; stays until the next one
};

// What one pass did.
struct OnceReport {
  std::uint64_t published = 0;
  std::uint64_t marked = 0;
  std::uint64_t refused = 0;
  std::uint64_t left = 0;  // rows seen that still have to be published; a lower bound while a
                           // destination is down or a type has no route
  bool fenced = false;     // another relay took over meanwhile; the rest is its work
};

// The relay of one table, inside a service or the daemon. Any number may run; one of them works,
// the others stand by.
//
//   relay::Runner runner(*store, open_publisher, clock, {.holder = "order_service"});
//   if (Status started = runner.start(); !started) return fail(started.error());
//   …
//   runner.stop(std::chrono::seconds(2));
//
// **Guarantee**: a row is advanced only after the broker's ack, by compare-and-set on its id; a row
// is never in flight twice at the same time; a crash repeats at most what was in flight. Memory is
// bounded by the engine's options, whatever waits in the table.
// **Ownership**: borrows store and clock, which must live longer; owns its threads.
// **Errors**: trouble of store or broker is logged, counted and retried, never thrown; last_error
// and the alarms say what it was.
// **Thread safety**: ring() and stats() from any thread at any time; start, stop and run_once from
// one thread.
class Runner {
 public:
  Runner(MessageStore& store, OpenPublisher open_publisher, const Clock& clock,
         RunnerOptions options = {});
  ~Runner();  // as stop() with no time to flush
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Checks options and store, then works in the background. Errors: fix_call when it runs already
  // or an option is out of range; what opening a session answered.
  [[nodiscard]] Status start();

  // Stops reading, waits at most `deadline` for what is in flight and its marks, gives the lease
  // back; the rest stays in the table for the next relay. Returns with all threads ended. Harmless
  // when not running.
  void stop(Millis deadline);

  // Rows may have been committed: look now. Never blocks.
  void ring() noexcept;

  [[nodiscard]] RunnerStats stats() const;

  // Takes the lease (waits for it), publishes everything that can be published now, marks it and
  // gives the lease back. Errors: retry when the lease was not to be had within `deadline` or the
  // store failed all the time; fix_call when the runner runs already.
  [[nodiscard]] Result<OnceReport> run_once(Millis deadline);

 private:
  class Shell;
  MessageStore& store_;
  const OpenPublisher open_publisher_;
  const Clock& clock_;
  const RunnerOptions options_;
  bool running_ = false;
  mutable std::mutex mutex_;  // guards the pointer below, for ring() and stats()
  std::unique_ptr<Shell> shell_;
};

}  // namespace waybill::relay
