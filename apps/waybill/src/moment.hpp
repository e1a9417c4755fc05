// Points in time as people write them: "2026-11-23T21:09:05Z", or "2h" for two hours ago.
#pragma once

#include <optional>
#include <string_view>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

// Either a fixed time or a distance from now.
struct Moment {
  std::optional<Millis> ago;
  DatabaseTime at{};

  [[nodiscard]] DatabaseTime resolve(DatabaseTime now) const { return ago ? now - *ago : at; }
};

// RFC 3339 with its zone, or a duration. **Errors**: fix_call with the text and the forms.
[[nodiscard]] Result<Moment> parse_moment(std::string_view text);

}  // namespace waybill::cli
