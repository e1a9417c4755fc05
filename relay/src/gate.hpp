// Lets traffic through, stops it after a failure, and grows back after a probe succeeded.
#pragma once

#include <cstdint>

#include "waybill/clock.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

// A circuit breaker over a window of messages in flight; one for each destination, and one for each
// type, whose lane stops when its destination refuses it.
class Gate {
 public:
  // How many more may go now.
  [[nodiscard]] std::uint32_t room(std::uint32_t window, std::uint32_t in_flight,
                                   Steady now) const noexcept;

  // Both say whether the gate changed between open and not open.
  bool succeeded(std::uint32_t window) noexcept;
  bool failed(Steady now, Millis probe_after) noexcept;

  [[nodiscard]] GateState state() const noexcept { return state_; }
  [[nodiscard]] std::uint32_t failures_in_a_row() const noexcept { return failures_; }
  // When an open gate lets its next probe through.
  [[nodiscard]] Steady probe_at() const noexcept { return probe_at_; }

 private:
  GateState state_ = GateState::closed;
  std::uint32_t allowed_ = 0;   // while ramping
  std::uint32_t failures_ = 0;  // probes since it opened
  Steady probe_at_{};
};

}  // namespace waybill::relay
