#include "duration.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

namespace waybill::cli {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t millis;
};

constexpr std::array kUnits = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                               Unit{"s", 1'000}, Unit{"ms", 1}};

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
  const Error malformed{Remedy::fix_call, fmt::format("'{}' is no duration", text),
                        "write a whole number and a unit: 500ms, 2s, 5m, 1h, 7d"};
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || number < 0) return malformed;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.millis) return malformed;
    return Millis(number * unit.millis);
  }
  return malformed;
}

std::string print_duration(Millis duration) {
  for (const Unit& unit : kUnits) {
    if (duration.count() != 0 && duration.count() % unit.millis == 0) {
      return fmt::format("{}{}", duration.count() / unit.millis, unit.name);
    }
  }
  return "0ms";
}

std::string print_age(Millis age) {
  std::int64_t left = age.count();
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (left < kUnits[i].millis) continue;
    std::string text = fmt::format("{}{}", left / kUnits[i].millis, kUnits[i].name);
    left %= kUnits[i].millis;
    // Beside seconds, milliseconds tell nobody anything.
    if (i + 2 < kUnits.size() && left >= kUnits[i + 1].millis) {
      text += fmt::format(" {}{}", left / kUnits[i + 1].millis, kUnits[i + 1].name);
    }
    return text;
  }
  return "0ms";
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) {
    return Error{Remedy::fix_call, fmt::format("'{}' is no whole number", text), ""};
  }
  return number;
}

}  // namespace waybill::cli
