#include "rows.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>

#include "sql.hpp"
#include "waybill/message.hpp"
#include "waybill/message_id.hpp"

namespace waybill::sqlite {
namespace {

constexpr std::size_t kHeadersBytesMax = 4096;

int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  if (at + count > text.size()) return 0;
  std::from_chars(text.data() + at, text.data() + at + count, value);
  return value;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  // EVP_DecodeBlock counts the padding as bytes.
  const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

std::string member(const boost::json::object& headers, std::string_view name) {
  const auto* value = headers.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// Fills key, traceparent and content; the text of what is wrong, or nothing.
std::string decode(MessageRow& row, const std::string& headers_text) {
  if (!headers_text.empty()) {
    boost::system::error_code failed;
    const boost::json::value headers = headers_text.size() > kHeadersBytesMax
                                           ? boost::json::value()
                                           : boost::json::parse(headers_text, failed);
    if (failed || !headers.is_object()) return "headers are no JSON object of at most 4 KiB";
    row.key = member(headers.get_object(), "key");
    row.traceparent = member(headers.get_object(), "traceparent");
    const std::string encoding = member(headers.get_object(), "content_encoding");
    if (encoding == "base64") {
      auto decoded = decode_base64(row.content);
      if (!decoded) return "content is no base64, which its headers promise";
      row.content = std::move(*decoded);
    } else if (!encoding.empty()) {
      return "content_encoding in the headers is unknown";
    } else if (!is_storable_text(row.content)) {
      return "content is no UTF-8 text, or holds NUL";
    }
  } else if (!is_storable_text(row.content)) {
    return "content is no UTF-8 text, or holds NUL";
  }
  if (row.biz_type.empty() || row.message_type.empty() || row.identifier.empty()) {
    return "biz_type, message_type or identifier is empty";
  }
  const MessageId id{row.biz_type, row.message_type, row.identifier};
  if (id.to_string().size() > kMessageIdBytesMax) return "its message id is over 768 bytes";
  return {};
}

}  // namespace

DatabaseTime parse_time(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 19) return {};
  const year_month_day day{year(digits(text, 0, 4)),
                           month(static_cast<unsigned>(digits(text, 5, 2))),
                           std::chrono::day(static_cast<unsigned>(digits(text, 8, 2)))};
  if (!day.ok()) return {};
  DatabaseTime time = sys_days(day) + hours(digits(text, 11, 2)) + minutes(digits(text, 14, 2)) +
                      seconds(digits(text, 17, 2));
  if (text.size() >= 23 && text[19] == '.') time += milliseconds(digits(text, 20, 3));
  return time;
}

std::string format_time(DatabaseTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<milliseconds>(time - day));
  char text[40];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d.%03d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::string modifier(Millis offset) {
  char text[40];
  std::snprintf(text, sizeof text, "%+.3f seconds", static_cast<double>(offset.count()) / 1000.0);
  return text;
}

MessageRow read_row(const Query& query) {
  MessageRow row;
  row.id = query.number(0);
  row.state = parse_message_state(query.text(1)).value_or(MessageState::INIT);
  row.message_type = query.text(2);
  row.biz_type = query.text(3);
  row.identifier = query.text(4);
  row.content = query.text(5);
  row.gmt_create = parse_time(query.text(7));
  row.gmt_modified = parse_time(query.text(8));
  if (!query.is_null(9)) row.next_attempt_at = parse_time(query.text(9));
  if (!query.is_null(10)) row.first_accepted_at = parse_time(query.text(10));
  row.sends = static_cast<std::uint32_t>(query.number(11));
  row.refusals = static_cast<std::uint32_t>(query.number(12));
  row.epoch = static_cast<std::uint32_t>(query.number(13));
  row.reason = query.text(14);
  row.defect = decode(row, query.text(6));
  if (!row.defect.empty()) row.content.clear();
  return row;
}

std::vector<Route> read_routes(Connection& connection) {
  std::vector<Route> routes;
  Query query = connection.query(sql::kRoutes);
  while (query.step()) {
    Route route;
    route.message_type = query.text(0);
    route.destination = query.text(1);
    route.confirm_deadline = Millis(query.number(3));
    route.version = query.number(6);
    const auto consumers = parse_consumers(query.text(2));
    const auto ordering = parse_ordering(query.text(4));
    const auto dispatch = parse_dispatch(query.text(5));
    const auto fail = [&](const Error& error) {
      return Failure{
          {Remedy::fix_call, "route of '" + route.message_type + "': " + error.text, error.hint}};
    };
    if (!consumers) throw fail(consumers.error());
    if (!ordering) throw fail(ordering.error());
    if (!dispatch) throw fail(dispatch.error());
    route.consumers = *consumers;
    route.ordering = *ordering;
    route.dispatch = *dispatch;
    routes.push_back(std::move(route));
  }
  return routes;
}

LeaseView read_lease(Connection& connection) {
  Query query = connection.query(sql::kLease);
  if (!query.step()) {
    throw Failure{{Remedy::fix_call, "the lease table is empty", "waybill schema apply fills it"}};
  }
  return {static_cast<std::uint64_t>(query.number(0)), static_cast<std::uint64_t>(query.number(1)),
          query.text(2)};
}

}  // namespace waybill::sqlite
