// The dispatcher's thread for one destination.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "dispatch_wait.hpp"
#include "waybill/outbox/dispatcher.hpp"

namespace waybill {

struct DispatchJob {
  CommittedMessage committed;
  std::string message_id;
  bool confirmation_asked = false;  // the route has required consumers
  Steady commit_sent{};
  DatabaseTime sent_at{};
  std::shared_ptr<DispatchWait> wait;  // shared with the sync caller; null for async
  bool probe = false;  // the one that finds out whether a paused destination answers again
};

// Owns one publisher and one store session, used by its own thread only.
class Dispatcher::Lane final : private OutcomeSink {
 public:
  Lane(Dispatcher& dispatcher, std::string destination);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // False when the queue is full or the destination is not answering: the row is the relay's.
  [[nodiscard]] bool offer(DispatchJob job);
  // Sends until `deadline`, then ends the thread.
  void stop(Steady deadline);

 private:
  using Job = std::unique_ptr<DispatchJob>;

  void work(const std::stop_token& stop);
  [[nodiscard]] bool wait_for_work(const std::stop_token& stop);
  void work_once();
  [[nodiscard]] bool open();
  void submit_waiting();
  [[nodiscard]] std::deque<Job> take_waiting();
  void put_back(std::deque<Job>& jobs);
  void submit_all(std::deque<Job>& batch);
  [[nodiscard]] bool submit(Job& job, DatabaseTime now);
  void poll();
  void mark_acked();
  [[nodiscard]] Result<std::vector<Marked>> mark(const std::vector<Mark>& marks);
  void tell_gone(const DispatchJob& job) const;
  void leave(const DispatchJob& job) noexcept;
  void finish(const DispatchJob& job) noexcept;
  void give_up(std::string_view why) noexcept;
  void drop_publisher() noexcept;
  void answered() noexcept;
  void failed(std::string_view what, std::string_view reason, Millis retry_after = Millis(0));
  void on_outcome(const PublishOutcome& outcome) override;

  Dispatcher& dispatcher_;
  const std::string destination_;

  std::mutex mutex_;  // guards what follows, up to the thread's own
  std::condition_variable_any waiting_;
  std::deque<Job> queue_;
  std::size_t jobs_ = 0;    // waiting, in flight or not marked yet
  std::size_t bytes_ = 0;   // their content
  Steady last_progress_{};  // when the destination last answered, or had nothing to answer
  std::uint32_t failures_ = 0;
  bool probing_ = false;
  Steady paused_until_{};
  Steady stop_by_ = Steady::max();
  std::unique_ptr<Publisher> publisher_;  // set under the lock; used without by the thread

  // The thread's own.
  std::unique_ptr<RelaySession> session_;
  std::unordered_map<std::uint64_t, Job> in_flight_;
  std::vector<Job> acked_;
  std::uint64_t next_token_ = 1;
  std::jthread thread_;
};

}  // namespace waybill
