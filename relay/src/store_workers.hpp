// The store sessions of a runner: a thread each, because drivers block.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "inbox.hpp"
#include "waybill/clock.hpp"
#include "waybill/message_store.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

// One store call. Texts are owned: the engine thread goes on meanwhile.
struct RoutesJob {
  std::int64_t known_version = -1;
};
struct ReadJob {
  ReadRows read;
  std::string message_type;
};
struct SettledJob {
  ReadSettled read;
  std::string message_type;
};
struct KeysJob {
  ReadKeys read;
  std::string message_type;
};
struct MarksJob {
  std::vector<RowMark> marks;
  std::vector<std::string> reasons;  // empty, or one for each mark
  std::optional<Lease> lease;        // judgements carry it
};
struct TakeJob {
  LeaseView seen;
  std::string holder;
};
struct StoreJob {
  RequestId request = 0;
  std::variant<RoutesJob, ListTypes, ReadJob, SettledJob, KeysJob, MarksJob, LookAtLease, TakeJob,
               RenewLease, ReleaseLease>
      call;
};

// **Guarantee**: one answer for each job, in no order; the lease first, then marks, then reads.
// **Ownership**: borrows store, clock and inbox. **Errors**: a session that failed is opened anew.
// **Thread safety**: all from one thread.
class StoreWorkers {
 public:
  StoreWorkers(MessageStore& store, const Clock& clock, Inbox& inbox, std::uint32_t sessions);
  ~StoreWorkers();  // waits for the calls under way; jobs that wait are dropped
  StoreWorkers(const StoreWorkers&) = delete;
  StoreWorkers& operator=(const StoreWorkers&) = delete;

  void put(StoreJob job);

 private:
  void work(const std::stop_token& stop);

  MessageStore& store_;
  const Clock& clock_;
  Inbox& inbox_;

  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::array<std::deque<StoreJob>, 3> jobs_;  // by urgency; bounded by the engine's open requests
  std::vector<std::jthread> threads_;
};

}  // namespace waybill::relay
