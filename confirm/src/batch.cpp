#include "waybill/confirm/batch.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <limits>

#include "waybill/message.hpp"
#include "waybill/message_id.hpp"

namespace waybill::confirm {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kReasonBytesSent = 512;

// What is wrong with a request; caught by the parse functions below.
struct Malformed {
  std::string text;
};

std::string place(std::size_t item, std::string_view member) {
  return "confirmations[" + std::to_string(item) + "]." + std::string(member);
}

const json::value* find(const json::object& object, std::string_view name) {
  return object.if_contains(name);
}

std::string text_member(const json::object& object, std::string_view name, const std::string& where,
                        std::size_t bytes_max, std::size_t bytes_min = 1) {
  const json::value* value = find(object, name);
  if (value == nullptr || !value->is_string()) throw Malformed{where + " is no string"};
  const auto& text = value->get_string();
  if (text.size() < bytes_min || text.size() > bytes_max || !is_storable_text(text)) {
    throw Malformed{where + " is not " + std::to_string(bytes_min) + " to " +
                    std::to_string(bytes_max) + " bytes of text"};
  }
  return std::string(text);
}

std::int64_t number_member(const json::object& object, std::string_view name,
                           const std::string& where, std::int64_t fallback, std::int64_t max) {
  const json::value* value = find(object, name);
  if (value == nullptr) return fallback;
  json::error_code failed;
  const auto number = value->to_number<std::int64_t>(failed);
  if (failed || !value->is_number() || number < 0 || number > max) {
    throw Malformed{where + " is no whole number from 0 to " + std::to_string(max)};
  }
  return number;
}

// At most `bytes_max` bytes of valid UTF-8, between two characters.
std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

std::string format_time(DatabaseTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[48];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

// YYYY-MM-DDTHH:MM:SS[.ffffff]Z
DatabaseTime parse_time(std::string_view text, const std::string& where) {
  using namespace std::chrono;
  const auto fail = [&] {
    return Malformed{where + " is no time like 2026-01-31T12:00:00.000000Z"};
  };
  const auto digits = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(at, count)) {
      if (c < '0' || c > '9') throw fail();
      value = value * 10 + (c - '0');
    }
    return value;
  };
  if (text.size() < 20 || text.size() > 27 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':' || text.back() != 'Z') {
    throw fail();
  }
  const year_month_day date{year(digits(0, 4)), month(static_cast<unsigned>(digits(5, 2))),
                            day(static_cast<unsigned>(digits(8, 2)))};
  if (!date.ok() || date.year() < year(1970) || digits(11, 2) > 23 || digits(14, 2) > 59 ||
      digits(17, 2) > 59)
    throw fail();
  DatabaseTime time =
      sys_days(date) + hours(digits(11, 2)) + minutes(digits(14, 2)) + seconds(digits(17, 2));
  const std::size_t fraction = text.size() - 20;  // the point and its digits
  if (fraction == 0) return time;
  if (text[19] != '.' || fraction < 2) throw fail();
  int micros = digits(20, fraction - 1);
  for (std::size_t i = fraction - 1; i < 6; ++i) micros *= 10;
  return time + microseconds(micros);
}

json::object parse_object(std::string_view body) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code failed;
  const json::value value = json::parse({body.data(), body.size()}, failed, {}, options);
  if (failed || !value.is_object()) throw Malformed{"the body is no JSON object"};
  return value.get_object();
}

const json::array& array_member(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (value == nullptr || !value->is_array()) throw Malformed{std::string(name) + " is no array"};
  return value->get_array();
}

Confirmation parse_item(const json::value& value, std::size_t index) {
  if (!value.is_object())
    throw Malformed{"confirmations[" + std::to_string(index) + "] is no object"};
  const json::object& object = value.get_object();
  Confirmation item;
  item.message_id =
      text_member(object, "message_id", place(index, "message_id"), kMessageIdBytesMax);
  const auto verdict = parse_verdict(text_member(object, "verdict", place(index, "verdict"), 16));
  if (!verdict) throw Malformed{place(index, "verdict") + " is none of done, failed, later"};
  item.verdict = *verdict;
  if (find(object, "reason") != nullptr) {
    item.reason = text_member(object, "reason", place(index, "reason"), kReasonBytesMax, 0);
  }
  item.epoch = static_cast<std::uint32_t>(number_member(object, "epoch", place(index, "epoch"), 0,
                                                        std::numeric_limits<std::uint32_t>::max()));
  item.sent_at = parse_time(text_member(object, "sent_at", place(index, "sent_at"), 32),
                            place(index, "sent_at"));
  return item;
}

template <class Body>
auto strict(Body&& body) -> Result<decltype(body())> {
  try {
    return body();
  } catch (const Malformed& malformed) {
    return Error{Remedy::fix_call, malformed.text, "the body is described in confirm/openapi.yaml"};
  }
}

}  // namespace

std::string encode_batch(const std::vector<Confirmation>& items) {
  json::array confirmations;
  for (const Confirmation& item : items) {
    json::object object{{"message_id", item.message_id},
                        {"verdict", to_string(item.verdict)},
                        {"epoch", item.epoch},
                        {"sent_at", format_time(item.sent_at)}};
    if (!item.reason.empty() && is_storable_text(item.reason)) {
      object["reason"] = cut_text(item.reason, kReasonBytesSent);
    }
    confirmations.push_back(std::move(object));
  }
  json::object body{{"confirmations", std::move(confirmations)}};
  if (!items.empty()) {
    body["consumer"] = items.front().consumer;
    body["retention_seconds"] = items.front().retention.count();
  }
  return json::serialize(body);
}

Result<std::vector<Confirmation>> parse_batch(std::string_view body) {
  return strict([&] {
    const json::object object = parse_object(body);
    const std::string consumer = text_member(object, "consumer", "consumer", kConsumerBytesMax);
    constexpr std::int64_t kDefault = std::chrono::seconds(std::chrono::days(7)).count();
    constexpr std::int64_t kMax = kRetentionMax.count();
    const std::chrono::seconds retention(
        number_member(object, "retention_seconds", "retention_seconds", kDefault, kMax));
    const json::array& values = array_member(object, "confirmations");
    if (values.empty() || values.size() > kItemsMax) {
      throw Malformed{"confirmations has " + std::to_string(values.size()) + " items (1 to 1000)"};
    }
    std::vector<Confirmation> items;
    for (const json::value& value : values) {
      items.push_back(parse_item(value, items.size()));
      items.back().consumer = consumer;
      items.back().retention = retention;
    }
    return items;
  });
}

std::string encode_results(const std::vector<Confirmation>& items,
                           const std::vector<ConfirmResult>& results) {
  json::array array;
  for (std::size_t i = 0; i < items.size(); ++i) {
    array.push_back(
        json::object{{"message_id", items[i].message_id}, {"result", to_string(results[i])}});
  }
  return json::serialize(json::object{{"results", std::move(array)}});
}

Result<std::vector<ConfirmResult>> parse_results(std::string_view body, std::size_t items) {
  return strict([&] {
    const json::object object = parse_object(body);
    const json::array& values = array_member(object, "results");
    if (values.size() != items) throw Malformed{"results are not one per item"};
    std::vector<ConfirmResult> results;
    for (const json::value& value : values) {
      if (!value.is_object()) throw Malformed{"a result is no object"};
      const auto result =
          parse_confirm_result(text_member(value.get_object(), "result", "result", 16));
      if (!result) throw Malformed{"a result is none of done, already, not_found"};
      results.push_back(*result);
    }
    return results;
  });
}

}  // namespace waybill::confirm
