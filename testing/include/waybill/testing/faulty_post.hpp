// A confirmation transport that loses requests and replies on purpose.
#pragma once

#include <cstdint>

#include "waybill/confirm/request.hpp"

namespace waybill::testing {

// Probabilities from 0 to 1, drawn once a request.
struct PostFaults {
  double lose_request = 0;  // never reaches the producer
  double lose_reply = 0;    // carried out, but the answer is lost
  std::uint64_t seed = 1;
};

// Decorates `inner`; a lost request or reply is an Error with Remedy::look.
// **Thread safety**: one thread at a time.
[[nodiscard]] confirm::Post make_faulty(confirm::Post inner, PostFaults faults);

}  // namespace waybill::testing
