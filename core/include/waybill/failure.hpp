// How an adapter reports trouble inside itself: thrown deep down, an Error at the port.
#pragma once

#include <type_traits>
#include <utility>

#include "waybill/error.hpp"

namespace waybill {

// Thrown inside an adapter only; every port function turns it into its Error (see guarded).
struct Failure {
  Error error;
};

// Calls `body` and turns a Failure into its Error.
template <class Body>
auto guarded(Body&& body) -> Result<decltype(body())> {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return {};
    } else {
      return body();
    }
  } catch (const Failure& failure) {
    return failure.error;
  }
}

}  // namespace waybill
