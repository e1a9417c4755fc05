#include "waybill/brokers/cloud_events.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace waybill::cloud_events {
namespace {

constexpr std::size_t kFractionDigits = 6;

template <class T>
bool parse_number(std::string_view text, T& number) {
  const char* const end = text.data() + text.size();
  T parsed{};
  const auto [rest, error] = std::from_chars(text.data(), end, parsed);
  if (error != std::errc{} || rest != end || text.starts_with('-')) return false;
  number = parsed;
  return true;
}

constexpr std::size_t kShownBytesMax = 64;

// The first defect is enough.
void expect(bool holds, const Attribute& attribute, std::string_view what, Delivery& delivery) {
  if (holds || !delivery.defect.empty()) return;
  delivery.defect = fmt::format("the attribute '{}' is '{}', which is no {}", attribute.name,
                                attribute.value.substr(0, kShownBytesMax), what);
}

}  // namespace

Attributes::Attributes(const Outgoing& message, std::string_view sent_at, std::string_view source)
    : epoch_(std::to_string(message.epoch)) {
  const auto add = [this](std::string_view name, std::string_view value) {
    attributes_[size_++] = {name, value};
  };
  add("specversion", "1.0");
  add("id", message.message_id);
  add("source", source);
  add("type", message.message_type);
  add("waybillsent", sent_at);
  add("waybillepoch", epoch_);
  if (!message.key.empty()) add("partitionkey", message.key);
  if (!message.traceparent.empty()) add("traceparent", message.traceparent);
}

void read(const Attribute& attribute, Delivery& delivery) {
  if (attribute.name == "id") {
    delivery.message_id = attribute.value;
  } else if (attribute.name == "type") {
    delivery.message_type = attribute.value;
  } else if (attribute.name == "partitionkey") {
    delivery.key = attribute.value;
  } else if (attribute.name == "traceparent") {
    delivery.traceparent = attribute.value;
  } else if (attribute.name == "waybillepoch") {
    // An inbox keeps it in a 32-bit integer with a sign.
    auto epoch = static_cast<std::int32_t>(delivery.epoch);
    expect(parse_number(attribute.value, epoch), attribute, "epoch", delivery);
    delivery.epoch = static_cast<std::uint32_t>(epoch);
  } else if (attribute.name == "waybillsent") {
    expect(from_rfc3339(attribute.value, delivery.sent_at), attribute, "UTC time", delivery);
  } else if (attribute.name == "specversion") {
    expect(attribute.value.starts_with("1."), attribute, "version that is understood", delivery);
  }
}

std::string to_rfc3339(DatabaseTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

bool from_rfc3339(std::string_view text, DatabaseTime& time) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size() || !text.ends_with('Z')) return false;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !is_digit : text[i] != kShape[i]) return false;
  }
  const auto number = [&](std::size_t begin, std::size_t size) {
    int value = 0;
    static_cast<void>(parse_number(text.substr(begin, size), value));
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hours = number(11, 2);
  const int minutes = number(14, 2);
  const int seconds = number(17, 2);
  if (!date.ok() || hours > 23 || minutes > 59 || seconds > 59) return false;
  std::int64_t micros = 0;
  std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!fraction.empty()) {
    if (!fraction.starts_with('.') || fraction.size() < 2) return false;
    fraction.remove_prefix(1);
    std::string digits(fraction.substr(0, kFractionDigits));
    digits.resize(kFractionDigits, '0');
    if (fraction.find_first_not_of("0123456789") != fraction.npos) return false;
    static_cast<void>(parse_number(std::string_view(digits), micros));
  }
  time = std::chrono::sys_days(date) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
         std::chrono::seconds(seconds) + std::chrono::microseconds(micros);
  return true;
}

}  // namespace waybill::cloud_events
