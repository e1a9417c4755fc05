// Drives an engine over a table in memory with a stepped clock: no threads, the same each time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "memory_store.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay::testing {

struct BenchOptions {
  EngineOptions engine;
  std::uint64_t seed = 1;
  std::string holder = "bench";
  Millis store_latency{1};
  Millis broker_latency{2};
};

// One publish as the broker saw it.
struct Seen {
  std::int64_t id = 0;
  std::string type;
  std::string key;
  Steady at;
  PublishResult result = PublishResult::acked;
};

// Checks at every step that no row is in flight twice, that only rows whose ack was told are marked
// as such, and that nothing is published without a lease or beyond the window.
class EngineBench {
 public:
  EngineBench(FakeClock& clock, MemoryStore& store, BenchOptions options = {},
              Mode mode = Mode::serve);

  // What the broker answers; acked by default.
  std::function<PublishResult(const MessageRow& row, const std::string& destination)> broker;
  // Called for each action, in order.
  std::function<void(const Action&)> watch;

  // Lets time pass, event by event.
  void run_for(Steady::duration time) { run_until(clock_.now() + time); }
  void run_until(Steady end);
  // Until the condition holds; false when it did not within `time`.
  [[nodiscard]] bool run_while(const std::function<bool()>& condition, Steady::duration time);
  // When something happens next; several benches on one clock take turns by it.
  [[nodiscard]] Steady next_at() const;
  void step();

  void ring() {
    later(Millis(0), [this] { give(Rung{}); });
  }
  void stop() {
    later(Millis(0), [this] { give(Stop{}); });
  }
  // Forgets everything, as a process that was killed.
  void kill() { dead_ = true; }

  [[nodiscard]] const std::vector<Seen>& seen() const { return seen_; }
  [[nodiscard]] std::vector<Seen> seen_of(std::int64_t id) const;
  [[nodiscard]] const Engine& engine() const { return engine_; }
  [[nodiscard]] const std::vector<std::string>& broken_rules() const { return broken_rules_; }
  [[nodiscard]] std::size_t in_flight_max() const { return in_flight_max_; }
  [[nodiscard]] std::size_t bytes_max() const { return bytes_max_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }
  [[nodiscard]] const std::vector<RaiseAlarm>& alarms() const { return alarms_; }
  [[nodiscard]] bool raised(Alarm alarm) const;

 private:
  void later(Steady::duration delay, std::function<void()> what);
  void give(const Event& event);
  void carry_out();
  void carry_out(const ReadRoutes& action);
  void carry_out(const ListTypes& action);
  void carry_out(const ReadRows& action);
  void carry_out(const Admit& action);
  void carry_out(const Publish& action);
  void carry_out(const Drop& action);
  void carry_out(const MarkRows& action);
  void carry_out(const JudgeRows& action);
  void carry_out(const LookAtLease& action);
  void carry_out(const TakeLease& action);
  void carry_out(const RenewLease& action);
  void carry_out(const ReleaseLease& action);
  void carry_out(const PublishUntil& action);
  void carry_out(const RaiseAlarm& action);
  void tell_type(TypeId type);
  void mark(RequestId request, const std::vector<RowMark>& marks,
            const std::optional<Lease>& lease);
  void broke(const std::string& rule) { broken_rules_.push_back(rule); }
  template <class T>
  bool failed(RequestId request, const Result<T>& result);

  FakeClock& clock_;
  MemoryStore& store_;
  const BenchOptions options_;
  Engine engine_;
  std::unique_ptr<RelaySession> session_;
  bool dead_ = false;

  std::multimap<Steady, std::function<void()>> queue_;
  std::vector<Action> actions_;
  std::vector<std::string> types_;
  std::vector<std::string> destinations_;
  std::vector<Route> routes_;
  std::optional<std::vector<ConsumerProgress>> progress_;
  LeaseView lease_seen_;
  Steady publish_until_{};
  std::map<std::int64_t, MessageRow> page_;
  std::map<std::int64_t, MessageRow> payloads_;
  std::set<std::int64_t> in_flight_;
  std::size_t bytes_in_flight_ = 0;
  std::set<std::int64_t> acked_;

  std::vector<Seen> seen_;
  std::vector<RaiseAlarm> alarms_;
  std::vector<std::string> broken_rules_;
  std::uint64_t idle_steps_ = 0;
  std::size_t in_flight_max_ = 0;
  std::size_t bytes_max_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace waybill::relay::testing
