// A publisher that loses, refuses and delays on purpose.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "waybill/publisher.hpp"

namespace waybill::testing {

// Probabilities from 0 to 1, drawn once a message, in this order; the first that hits decides.
struct FaultOptions {
  double lose_publish = 0;  // never reaches the broker; the outcome is `unknown`
  double lose_ack = 0;      // reaches the broker; an `acked` outcome becomes `unknown`
  std::uint64_t seed = 1;
  double cut = 0;         // never reaches the broker; the outcome is `unreachable`
  double delay = 0;       // reaches the broker; its outcome is held back for up to delay_max
  Millis delay_max{100};  // drawn evenly from 0 to this
  std::function<bool(const Outgoing&)> refuse = nullptr;  // true: `rejected`, without the broker
};

// Decorates `inner`; without any fault switched on it is `inner` itself. Since a lost message
// leaves a gap, `ordered_window` is false.
// **Guarantee**: the same seed and calls give the same faults; exactly one outcome per token.
// **Ownership**: owns `inner`. **Thread safety**: as Publisher.
[[nodiscard]] std::unique_ptr<Publisher> make_faulty(std::unique_ptr<Publisher> inner,
                                                     FaultOptions faults);

}  // namespace waybill::testing
