// The publisher of one destination and the thread that it is confined to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "inbox.hpp"
#include "waybill/clock.hpp"
#include "waybill/message_store.hpp"
#include "waybill/publisher.hpp"

namespace waybill::relay {

// A row that the engine admitted. **Ownership**: the engine thread's; lent to a publisher thread
// from Publish to its outcome, unchanged meanwhile.
struct Payload {
  MessageRow row;
  std::string message_id;
  std::string reason;  // why the broker refused it
};

// What publisher threads read and the engine thread writes.
struct PublishLimits {
  std::atomic<Steady::rep> until{0};  // steady time by which a message must have been submitted
  std::atomic<std::int64_t> database_offset_us{0};  // database time - steady time

  [[nodiscard]] DatabaseTime database_time(Steady now) const noexcept;
  void database_was(DatabaseTime time, Steady at) noexcept;
};

// **Guarantee**: one answer in the inbox for each payload put. **Ownership**: borrows all it gets.
// **Thread safety**: all from one thread.
class PublisherThread final : private OutcomeSink {
 public:
  PublisherThread(std::string destination, const OpenPublisher& open, const Clock& clock,
                  const PublishLimits& limits, Inbox& inbox);
  ~PublisherThread();  // as close(now), then waits for the thread
  PublisherThread(const PublisherThread&) = delete;
  PublisherThread& operator=(const PublisherThread&) = delete;

  void put(const std::vector<const Payload*>& payloads);
  // Submits no more, waits for outcomes until `deadline`; what is open then becomes unknown.
  void close(Steady deadline);

 private:
  void work();
  [[nodiscard]] bool wait_for_work();
  void submit();
  [[nodiscard]] bool open();
  void drop_publisher();
  void refuse_pending(std::optional<PublishResult> result, const std::string& reason);
  void on_outcome(const PublishOutcome& outcome) override;
  void finish();

  const std::string destination_;
  const OpenPublisher& open_;
  const Clock& clock_;
  const PublishLimits& limits_;
  Inbox& inbox_;

  std::mutex mutex_;  // guards the members up to the empty line
  std::condition_variable changed_;
  std::vector<const Payload*> incoming_;
  std::unique_ptr<Publisher> publisher_;  // replaced by the thread; wake() from others
  bool closing_ = false;
  Steady close_by_{};

  std::deque<const Payload*> pending_;
  std::unordered_set<std::uint64_t> in_flight_;
  std::vector<PublishAnswer> answers_;
  std::uint32_t unreachable_ = 0;  // in a row

  std::jthread thread_;
};

}  // namespace waybill::relay
