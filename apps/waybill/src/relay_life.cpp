#include "relay_life.hpp"

#include <chrono>
#include <thread>

namespace waybill::cli {
namespace {

constexpr Millis kTtlDefault{2000};
constexpr Millis kLookInterval{50};

}  // namespace

std::string_view to_string(RelayLife life) noexcept {
  switch (life) {
    case RelayLife::alive:
      return "alive";
    case RelayLife::silent:
      return "silent";
    case RelayLife::none:
      return "none";
    case RelayLife::unknown:
      break;
  }
  return "unknown";
}

Millis patience_of(const Config& config) {
  return config.relay.ttl.value_or(kTtlDefault) * 3 / 4;
}

Result<RelayLife> watch_relay(ConsoleSession& session, const LeaseView& first, Millis patience) {
  // A free lease is taken within moments by a relay that stands by.
  const Steady until = std::chrono::steady_clock::now() + patience;
  LeaseView seen = first;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kLookInterval);
    const Result<LeaseView> now = session.lease();
    if (!now) return now.error();
    seen = *now;
    const bool moved = seen.fence != first.fence || seen.counter != first.counter;
    if (moved && !seen.holder.empty()) return RelayLife::alive;
  }
  return seen.holder.empty() ? RelayLife::none : RelayLife::silent;
}

}  // namespace waybill::cli
