#include "gate.hpp"

#include <algorithm>

namespace waybill::relay {

std::uint32_t Gate::room(std::uint32_t window, std::uint32_t in_flight, Steady now) const noexcept {
  std::uint32_t limit = window;
  if (state_ == GateState::open) limit = now >= probe_at_ ? 1 : 0;
  if (state_ == GateState::ramping) limit = std::min(allowed_, window);
  return limit > in_flight ? limit - in_flight : 0;
}

// Each success while ramping lets one more through: the traffic doubles with every round trip.
bool Gate::succeeded(std::uint32_t window) noexcept {
  failures_ = 0;
  if (state_ == GateState::closed) return false;
  const bool was_open = state_ == GateState::open;
  allowed_ = was_open ? 2 : allowed_ + 1;
  state_ = allowed_ >= window ? GateState::closed : GateState::ramping;
  return was_open;
}

bool Gate::failed(Steady now, Millis probe_after) noexcept {
  const bool opens = state_ != GateState::open;
  // Failures of one window that arrive together are one.
  if (opens || now >= probe_at_) {
    ++failures_;
    probe_at_ = now + probe_after;
  }
  state_ = GateState::open;
  return opens;
}

}  // namespace waybill::relay
