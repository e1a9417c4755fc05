// Durations as people write them: "500ms", "2s", "1h".
#pragma once

#include <string>
#include <string_view>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

// A whole number followed by ms, s, m, h or d. **Errors**: fix_call with the text and the form.
[[nodiscard]] Result<Millis> parse_duration(std::string_view text);

// The shortest exact form; the inverse of parse_duration.
[[nodiscard]] std::string print_duration(Millis duration);

// For people: the two largest units that count, like "3d 4h" or "12s"; less than a second in ms.
[[nodiscard]] std::string print_age(Millis age);

// Parses a whole number that fills `text`. **Errors**: fix_call.
[[nodiscard]] Result<std::int64_t> parse_integer(std::string_view text);

}  // namespace waybill::cli
