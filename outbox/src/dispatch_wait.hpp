// What a sync caller waits on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "waybill/clock.hpp"

namespace waybill {

// Counts the sends that a call waits for; shared between the caller and the lanes, because either
// may be gone first. **Thread safety**: any thread.
class DispatchWait {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++open_;
  }

  void finish_one() {
    {
      const std::lock_guard lock(mutex_);
      --open_;
    }
    finished_.notify_all();
  }

  void wait_until(Steady deadline) {
    std::unique_lock lock(mutex_);
    finished_.wait_until(lock, deadline, [&] { return open_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable finished_;
  std::size_t open_ = 0;
};

}  // namespace waybill
