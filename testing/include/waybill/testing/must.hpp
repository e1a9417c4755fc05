// What a test cannot go on without: a success, its value, and a condition that comes true in time.
#pragma once

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "waybill/error.hpp"

namespace waybill::testing {

// Throws std::runtime_error with the error's text.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}

inline void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

// Whether the condition comes true within 10 s. It is asked every millisecond.
template <class Condition>
[[nodiscard]] bool wait_until(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace waybill::testing
