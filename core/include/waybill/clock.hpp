// The two times of waybill: a steady one for pacing, and the database's own for everything that is
// stored.
#pragma once

#include <chrono>
#include <cstdint>

namespace waybill {

using Millis = std::chrono::milliseconds;
using Steady = std::chrono::steady_clock::time_point;

// A time as the database server tells it (UTC, microseconds). Never compared with a host's clock.
using DatabaseTime = std::chrono::sys_time<std::chrono::microseconds>;

// A source of steady time; production uses SteadyClock, tests and the simulator step their own.
// **Thread safety**: now() may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Steady now() const noexcept = 0;
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] Steady now() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace waybill
