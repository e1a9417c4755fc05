// Drives an engine over a table in memory with a stepped clock: no threads, the same each time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "waybill/relay/engine.hpp"
#include "waybill/testing/model_store.hpp"

namespace waybill::testing {

struct BenchOptions {
  relay::EngineOptions engine;
  std::uint64_t seed = 1;
  std::string holder = "bench";
  Millis store_latency{1};
  Millis store_jitter{0};  // added to each call, evenly from 0 to this
  Millis broker_latency{2};
  Millis broker_jitter{0};
};

// One publish as the broker saw it.
struct Seen {
  std::int64_t id = 0;
  std::string type;
  std::string key;
  Steady at;
  PublishResult result = PublishResult::acked;
};

// Checks at every step that no row is in flight twice and that only rows whose ack was told are
// marked as such. As a runner would, it withdraws what comes too late to be published.
class EngineBench {
 public:
  EngineBench(ModelClock& clock, ModelStore& store, BenchOptions options = {},
              relay::Mode mode = relay::Mode::serve);

  // What the broker answers; acked by default.
  std::function<PublishResult(const MessageRow& row, const std::string& destination)> broker;
  // Called for each action, in order.
  std::function<void(const relay::Action&)> watch;

  // Lets time pass, event by event.
  void run_for(Steady::duration time) { run_until(clock_.now() + time); }
  void run_until(Steady end);
  // Until the condition holds; false when it did not within `time`.
  [[nodiscard]] bool run_while(const std::function<bool()>& condition, Steady::duration time);
  // When something happens next; several benches on one clock take turns by it.
  [[nodiscard]] Steady next_at() const;
  void step();

  void ring() {
    later(Millis(0), [this] { give(relay::Rung{}); });
  }
  void stop() {
    later(Millis(0), [this] { give(relay::Stop{}); });
  }
  // Forgets everything, as a process that was killed.
  void kill() { dead_ = true; }
  // Does nothing until then, as a process that was stopped.
  void pause_until(Steady end) { paused_until_ = end; }

  [[nodiscard]] const std::vector<Seen>& seen() const { return seen_; }
  [[nodiscard]] std::vector<Seen> seen_of(std::int64_t id) const;
  [[nodiscard]] const relay::Engine& engine() const { return engine_; }
  [[nodiscard]] const std::vector<std::string>& broken_rules() const { return broken_rules_; }
  [[nodiscard]] std::size_t in_flight_max() const { return in_flight_max_; }
  [[nodiscard]] std::size_t bytes_max() const { return bytes_max_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }
  [[nodiscard]] const std::vector<relay::RaiseAlarm>& alarms() const { return alarms_; }
  [[nodiscard]] bool raised(relay::Alarm alarm) const;

 private:
  void later(Steady::duration delay, std::function<void()> what);
  template <class Read, class Answer>
  void read_later(const Read& read, const Answer& answer);
  [[nodiscard]] Millis store_time() {
    return some_time(options_.store_latency, options_.store_jitter);
  }
  [[nodiscard]] Millis broker_time() {
    return some_time(options_.broker_latency, options_.broker_jitter);
  }
  [[nodiscard]] Millis some_time(Millis least, Millis jitter);
  void give(const relay::Event& event);
  void carry_out();
  void carry_out(const relay::ReadRoutes& action);
  void carry_out(const relay::ListTypes& action);
  void carry_out(const relay::ReadRows& action);
  void carry_out(const relay::ReadSettled& action);
  void carry_out(const relay::ReadKeys& action);
  void carry_out(const relay::Admit& action);
  void carry_out(const relay::Publish& action);
  void carry_out(const relay::Drop& action);
  void carry_out(const relay::MarkRows& action);
  void carry_out(const relay::JudgeRows& action);
  void carry_out(const relay::LookAtLease& action);
  void carry_out(const relay::TakeLease& action);
  void carry_out(const relay::RenewLease& action);
  void carry_out(const relay::ReleaseLease& action);
  void carry_out(const relay::PublishUntil& action);
  void carry_out(const relay::RaiseAlarm& action);
  void tell_type(relay::TypeId type);
  void mark(relay::RequestId request, const std::vector<relay::RowMark>& marks,
            const std::optional<Lease>& lease);
  void broke(const std::string& rule) { broken_rules_.push_back(rule); }
  template <class T>
  bool failed(relay::RequestId request, const Result<T>& result);

  ModelClock& clock_;
  ModelStore& store_;
  const BenchOptions options_;
  relay::Engine engine_;
  std::unique_ptr<RelaySession> session_;
  bool dead_ = false;
  Steady paused_until_{};
  std::mt19937_64 random_;

  std::multimap<Steady, std::function<void()>> queue_;
  std::vector<relay::Action> actions_;
  std::vector<std::string> types_;
  std::vector<std::string> destinations_;
  std::vector<Route> routes_;
  std::optional<std::vector<ConsumerProgress>> progress_;
  Steady publish_until_{};
  std::map<std::int64_t, MessageRow> page_;
  std::map<std::int64_t, MessageRow> payloads_;
  std::set<std::int64_t> in_flight_;
  std::size_t bytes_in_flight_ = 0;
  std::set<std::int64_t> acked_;

  std::vector<Seen> seen_;
  std::vector<relay::RaiseAlarm> alarms_;
  std::vector<std::string> broken_rules_;
  std::uint64_t idle_steps_ = 0;
  std::size_t in_flight_max_ = 0;
  std::size_t bytes_max_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace waybill::testing
