// A publisher that loses messages and acknowledgements on purpose.
#pragma once

#include <cstdint>
#include <memory>

#include "waybill/publisher.hpp"

namespace waybill::testing {

// Probabilities from 0 to 1, drawn once a message.
struct FaultOptions {
  double lose_publish = 0;  // never reaches the broker; the outcome is `unknown`
  double lose_ack = 0;      // reaches the broker; an `acked` outcome becomes `unknown`
  std::uint64_t seed = 1;
};

// Decorates `inner`; with both probabilities 0 it changes nothing.
// **Ownership**: owns `inner`. **Thread safety**: as Publisher.
[[nodiscard]] std::unique_ptr<Publisher> make_faulty(std::unique_ptr<Publisher> inner,
                                                     FaultOptions faults);

}  // namespace waybill::testing
