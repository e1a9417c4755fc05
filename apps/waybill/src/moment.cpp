#include "moment.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "duration.hpp"

namespace waybill::cli {
namespace {

// Reads the parts of a text from left to right; remembers when one was not there.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] int number(std::size_t digits) {
    int value = 0;
    const char* const end = rest_.data() + std::min(digits, rest_.size());
    const auto parsed = std::from_chars(rest_.data(), end, value);
    failed_ = failed_ || rest_.size() < digits || parsed.ec != std::errc() || parsed.ptr != end ||
              value < 0;
    rest_.remove_prefix(std::min(digits, rest_.size()));
    return value;
  }
  // Any one of `choices`; the one that was there.
  char one_of(std::string_view choices) {
    const char c = rest_.empty() ? '\0' : rest_.front();
    failed_ = failed_ || c == '\0' || choices.find(c) == choices.npos;
    if (!rest_.empty()) rest_.remove_prefix(1);
    return c;
  }
  // ".123456" as microseconds; finer digits are cut.
  [[nodiscard]] std::chrono::microseconds fraction() {
    if (!rest_.starts_with('.')) return {};
    rest_.remove_prefix(1);
    std::int64_t micros = 0;
    std::size_t digits = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (digits < 6) micros = micros * 10 + (rest_.front() - '0');
      ++digits;
      rest_.remove_prefix(1);
    }
    failed_ = failed_ || digits == 0;
    for (; digits < 6; ++digits) micros *= 10;
    return std::chrono::microseconds(micros);
  }
  [[nodiscard]] bool is_complete() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

std::optional<DatabaseTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  Reader reader(text);
  const year y(reader.number(4));
  reader.one_of("-");
  const month m(static_cast<unsigned>(reader.number(2)));
  reader.one_of("-");
  const day d(static_cast<unsigned>(reader.number(2)));
  reader.one_of("Tt ");
  const int hour = reader.number(2);
  reader.one_of(":");
  const int minute = reader.number(2);
  reader.one_of(":");
  const int second = reader.number(2);
  const microseconds fraction = reader.fraction();
  minutes offset{0};
  if (const char zone = reader.one_of("Zz+-"); zone == '+' || zone == '-') {
    offset = hours(reader.number(2));
    reader.one_of(":");
    offset += minutes(reader.number(2));
    if (zone == '-') offset = -offset;
  }
  const year_month_day date(y, m, d);
  if (!reader.is_complete() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  return sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + fraction - offset;
}

}  // namespace

Result<Moment> parse_moment(std::string_view text) {
  // A thousand years; more would leave the range of the calendar.
  constexpr Millis kAgoMax = std::chrono::days(365'000);
  if (const Result<Millis> ago = parse_duration(text); ago && *ago <= kAgoMax) {
    return Moment{*ago, {}};
  }
  if (const auto at = parse_rfc3339(text)) return Moment{std::nullopt, *at};
  return Error{Remedy::fix_call, fmt::format("'{}' is no time", text),
               "write 2026-11-23T21:09:05Z (with a zone), or 30m, 2h, 7d for so long ago"};
}

}  // namespace waybill::cli
