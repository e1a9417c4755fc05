// A wake-up that is not lost when it comes before the wait.
#pragma once

#include <condition_variable>
#include <mutex>

#include "waybill/clock.hpp"

namespace waybill::embedded {

class WakeFlag {
 public:
  void wake() noexcept {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    condition_.notify_all();
  }

  // True if woken, which ends the wake-up; false at `until`.
  bool wait_until(Steady until) {
    std::unique_lock lock(mutex_);
    const bool woken = condition_.wait_until(lock, until, [&] { return woken_; });
    woken_ = false;
    return woken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
};

}  // namespace waybill::embedded
