// The thin shell around the engine: carries out its actions with threads, sessions and publishers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "alarm_log.hpp"
#include "inbox.hpp"
#include "publisher_thread.hpp"
#include "store_workers.hpp"
#include "waybill/relay/doorbell.hpp"
#include "waybill/relay/engine.hpp"
#include "waybill/relay/runner.hpp"

namespace waybill::relay {

// Names as small numbers, never re-used.
class Names {
 public:
  [[nodiscard]] std::uint32_t number(std::string_view name);
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  [[nodiscard]] const std::string& name(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(names_.size());
  }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::deque<std::string> names_;
};

class Runner::Shell {
 public:
  Shell(MessageStore& store, const OpenPublisher& open, const Clock& clock,
        const RunnerOptions& options, std::uint64_t seed, Mode mode);
  ~Shell();  // as stop(0)
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  void stop(Millis deadline);
  void ring() { inbox_.ring(); }
  // True if the engine finished by itself within `wait` (mode once).
  [[nodiscard]] bool wait_finished(Millis wait);

  [[nodiscard]] RunnerStats stats() const;
  [[nodiscard]] EngineStats engine_stats() const;
  [[nodiscard]] std::string holder_seen() const;

 private:
  // Everything below runs on the engine thread, except where it says otherwise.
  void work();
  [[nodiscard]] bool past_deadline();
  void take(Inbox::Taken taken);
  void translate(StoreAnswer& answer);
  void translate(PublishAnswer& answer);
  void translate_page(RequestId request, PageAnswer& answer);
  void translate_routes(RequestId request, RoutesAnswer& answer);
  void learn_types(RequestId request, const std::vector<std::string>& types);
  [[nodiscard]] TypeId type_number(const std::string& name);
  void tell_route(TypeId type);
  void tell_progress(TypeId type);

  void carry_out();
  void carry_out(ReadRoutes& action);
  void carry_out(ListTypes& action);
  void carry_out(ReadRows& action);
  void carry_out(ReadSettled& action);
  void carry_out(ReadKeys& action);
  void carry_out(Admit& action);
  void carry_out(Publish& action);
  void carry_out(Drop& action);
  void carry_out(MarkRows& action);
  void carry_out(JudgeRows& action);
  void carry_out(LookAtLease& action);
  void carry_out(TakeLease& action);
  void carry_out(RenewLease& action);
  void carry_out(ReleaseLease& action);
  void carry_out(PublishUntil& action);
  void carry_out(RaiseAlarm& action);
  void send_batches();
  PublisherThread& publisher(DestinationId destination);
  void free_content(std::int64_t id);
  void note_error(std::string text);
  void tell_leadership();
  void snapshot();

  const OpenPublisher& open_;
  const Clock& clock_;
  const RunnerOptions& options_;
  const std::string holder_;

  Inbox inbox_;
  PublishLimits limits_;
  std::atomic<Steady::rep> stop_by_;  // steady time; the end of time: not stopping

  mutable std::mutex mutex_;  // guards the members up to the empty line
  std::condition_variable finished_changed_;
  bool finished_ = false;
  EngineStats engine_stats_;
  std::vector<DestinationStats> destination_stats_;
  std::string last_error_;
  std::string holder_seen_;

  Engine engine_;
  AlarmLog alarms_;
  Names types_;
  Names destinations_;
  std::vector<Route> routes_;
  std::int64_t routes_version_ = -1;
  std::optional<std::vector<ConsumerProgress>> progress_;
  LeaseView lease_seen_;
  std::uint64_t fence_told_ = 0;
  bool leader_told_ = false;
  bool closing_ = false;
  std::uint64_t unanswered_ = 0;  // publishes whose answer did not come before they were closed

  // Of this round: what the events point into, and what the engine wants.
  std::vector<Event> events_;
  std::deque<std::vector<RowHead>> heads_;
  std::deque<std::vector<SettledRow>> settled_;
  std::deque<std::vector<KeyBlockHead>> key_blocks_;
  std::deque<std::vector<TypeId>> type_lists_;
  std::deque<std::vector<Marked>> results_;
  std::unordered_map<std::int64_t, Payload> page_rows_;
  std::vector<Action> actions_;
  std::vector<std::vector<const Payload*>> batches_;  // by destination

  std::unordered_map<std::int64_t, Payload> payloads_;
  std::unordered_map<std::uint32_t, std::string> type_reasons_;
  std::unordered_map<std::uint32_t, std::string> destination_reasons_;

  std::vector<std::unique_ptr<PublisherThread>> publishers_;  // by destination
  std::unique_ptr<StoreWorkers> workers_;
  std::unique_ptr<DoorbellListener> doorbell_;
  std::jthread thread_;
};

}  // namespace waybill::relay
