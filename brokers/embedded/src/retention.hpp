// Deletes messages that are older than the retention, a little at a time.
#pragma once

#include <chrono>

#include "log_file.hpp"

namespace waybill::embedded {

// **Thread safety**: confined to the publisher's thread.
class Retention {
 public:
  Retention(std::chrono::hours age_max, Millis interval) : age_max_(age_max), interval_(interval) {}

  // Deletes one batch when it is time: once an interval, and soon again while there is more.
  // Trouble is left to the next time, since it is no trouble of a message.
  void clean_up(LogFile& file, Steady now);
  [[nodiscard]] Steady due_at() const noexcept { return due_at_; }

 private:
  const std::chrono::hours age_max_;
  const Millis interval_;
  Steady due_at_{};
};

}  // namespace waybill::embedded
