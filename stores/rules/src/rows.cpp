#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "waybill/message.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::store {
namespace {

constexpr std::size_t kHeadersBytesMax = 4096;
constexpr std::size_t kTableCharsMax = 48;

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

// The text of what is wrong, or nothing.
std::string try_decode(MessageRow& row, std::string_view headers_text) {
  std::string encoding;
  if (!headers_text.empty()) {
    boost::system::error_code failed;
    const boost::json::value headers = headers_text.size() > kHeadersBytesMax
                                           ? boost::json::value()
                                           : boost::json::parse(headers_text, failed);
    if (failed || !headers.is_object()) return "headers are no JSON object of at most 4 KiB";
    row.key = member(headers.get_object(), "key");
    row.traceparent = member(headers.get_object(), "traceparent");
    encoding = member(headers.get_object(), "content_encoding");
  }
  if (encoding == "base64") {
    auto decoded = decode_base64(row.content);
    if (!decoded) return "content is no base64, which its headers promise";
    row.content = std::move(*decoded);
  } else if (!encoding.empty()) {
    return "content_encoding in the headers is unknown";
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

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

void check_table_name(std::string_view table) {
  const bool usable = !table.empty() && table.size() <= kTableCharsMax &&
                      (table[0] < '0' || table[0] > '9') &&
                      std::all_of(table.begin(), table.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                      });
  if (usable) return;
  throw Failure{{Remedy::fix_call, "table name '" + std::string(table) + "' cannot be used",
                 "1 to 48 of a-z 0-9 _, no digit first"}};
}

std::string fill_in(std::string_view sql, std::string_view table, bool has_headers) {
  std::string text(sql);
  replace_all(text, "{table}", table);
  replace_all(text, "{headers}", has_headers ? "m.headers" : "NULL");
  return text;
}

void decode(MessageRow& row, std::string_view headers, bool has_null) {
  row.defect = has_null ? "biz_type, identifier or content is NULL" : try_decode(row, headers);
  if (!row.defect.empty()) row.content.clear();
}

void set_state(MessageRow& row, std::string_view stored) {
  const auto state = parse_message_state(stored);
  row.state = state.value_or(MessageState::INIT);
  if (!state) row.unknown_state = stored.empty() ? "(none)" : stored;
}

Route make_route(std::string message_type, std::string destination, std::string_view consumers,
                 Millis confirm_deadline, std::string_view ordering, std::string_view dispatch,
                 std::int64_t version) {
  Route route;
  route.message_type = std::move(message_type);
  route.destination = std::move(destination);
  route.confirm_deadline = confirm_deadline;
  route.version = version;
  const auto required = parse_consumers(consumers);
  const auto order = parse_ordering(ordering);
  const auto way = parse_dispatch(dispatch);
  const auto fail = [&](const Error& error) {
    return Failure{
        {Remedy::fix_call, "route of '" + route.message_type + "': " + error.text, error.hint}};
  };
  if (!required) throw fail(required.error());
  if (!order) throw fail(order.error());
  if (!way) throw fail(way.error());
  route.consumers = *required;
  route.ordering = *order;
  route.dispatch = *way;
  return route;
}

Failure empty_lease_table() {
  return {{Remedy::fix_call, "the lease table is empty", "waybill schema apply fills it"}};
}

void check_routes(std::span<const Route> routes) {
  for (const Route& route : routes) {
    if (const Status checked = validate(route); !checked) throw Failure{checked.error()};
  }
}

CleanPage clean(const CleanSpec& spec,
                const std::function<std::vector<CleanRow>(std::int64_t rows_max)>& read_page,
                const std::function<std::int64_t(std::span<const std::int64_t> ids)>& remove) {
  const std::size_t rows_max = std::clamp(spec.rows_max, 1U, kListRowsMax);
  const std::vector<CleanRow> rows = read_page(static_cast<std::int64_t>(rows_max));
  std::vector<std::int64_t> ids;
  for (const CleanRow& row : rows) {
    if (row.may_go) ids.push_back(row.id);
  }
  CleanPage page;
  page.looked_at = static_cast<std::int64_t>(rows.size());
  page.last_id = rows.empty() ? spec.after_id : rows.back().id;
  page.exhausted =
      rows.size() < rows_max ||
      std::all_of(rows.begin(), rows.end(), [](const CleanRow& row) { return row.is_young; });
  page.deleted = spec.dry_run || ids.empty() ? static_cast<std::int64_t>(ids.size()) : remove(ids);
  return page;
}

void set_oldest_unfinished(StoreStatus& status) {
  std::optional<DatabaseTime> oldest;
  for (const StateCount& count : status.counts) {
    const auto state = parse_message_state(count.state);
    // A time that nobody can read is the epoch; it tells no age.
    if (!state || is_final(*state) || count.oldest == DatabaseTime{}) continue;
    oldest = std::min(oldest.value_or(count.oldest), count.oldest);
  }
  if (!oldest) return;
  const auto age = std::chrono::duration_cast<Millis>(status.now - *oldest);
  status.oldest_unfinished_age = std::max(age, Millis(0));
}

}  // namespace waybill::store
