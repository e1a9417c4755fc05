// Where messages of a type go, and who must confirm them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill {

enum class Ordering { none, publish, confirmed };
enum class Dispatch { relay, async, sync };

// One row of `waybill_route`. A type with required consumers is confirm-closed, else ack-closed.
struct Route {
  std::string message_type;  // exact type, or "*" for every type without a route of its own
  std::string
      destination;  // name of a broker topic or exchange; configuration maps it to an address
  std::vector<std::string> consumers = {};  // required consumers; names of 1…64 of [A-Za-z0-9._-]
  Millis confirm_deadline = std::chrono::seconds(30);  // 100 ms … 24 h
  Ordering ordering = Ordering::none;
  Dispatch dispatch = Dispatch::relay;
  std::int64_t version = 0;  // grows with every change of any route; set by the store

  friend bool operator==(const Route&, const Route&) = default;
};

[[nodiscard]] std::string_view to_string(Ordering ordering) noexcept;
[[nodiscard]] std::string_view to_string(Dispatch dispatch) noexcept;
[[nodiscard]] Result<Ordering> parse_ordering(std::string_view text);
[[nodiscard]] Result<Dispatch> parse_dispatch(std::string_view text);

// The consumers as stored: names joined by ','. parse_consumers refuses bad and repeated names.
[[nodiscard]] std::string join_consumers(const std::vector<std::string>& consumers);
[[nodiscard]] Result<std::vector<std::string>> parse_consumers(std::string_view joined);

// Checks every field; ordered types refuse sync and async dispatch.
[[nodiscard]] Status validate(const Route& route);

// The route of a type: its own, else "*", else null. **Ownership**: points into `routes`.
[[nodiscard]] const Route* find_route(const std::vector<Route>& routes,
                                      std::string_view message_type) noexcept;

}  // namespace waybill
