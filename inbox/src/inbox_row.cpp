#include "inbox_row.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "waybill/message.hpp"

namespace waybill::inbox {

namespace {

// A duplicate affects no row. One case is no duplicate: a message that was refused here and that an
// operator replays (newer epoch) takes its failed row over, else a replay could never succeed.
constexpr std::string_view kSqliteInsert =
    "INSERT INTO waybill_inbox(consumer, message_id, epoch, gmt_create, verdict, sent_at)"
    " VALUES (?1, ?2, ?3, strftime('%Y-%m-%d %H:%M:%f', 'now'), 'done', ?4)"
    " ON CONFLICT (consumer, message_id) DO UPDATE SET epoch = excluded.epoch,"
    " gmt_create = excluded.gmt_create, verdict = 'done', reason = NULL, confirmed_at = NULL,"
    " sent_at = excluded.sent_at"
    " WHERE waybill_inbox.verdict = 'failed' AND excluded.epoch > waybill_inbox.epoch";

constexpr std::string_view kPostgresInsert =
    "INSERT INTO waybill_inbox(consumer, message_id, epoch, gmt_create, verdict, sent_at)"
    " VALUES ($1, $2, $3, now(), 'done', ($4::text || '+00')::timestamptz)"
    " ON CONFLICT (consumer, message_id) DO UPDATE SET epoch = excluded.epoch,"
    " gmt_create = excluded.gmt_create, verdict = 'done', reason = NULL, confirmed_at = NULL,"
    " sent_at = excluded.sent_at"
    " WHERE waybill_inbox.verdict = 'failed' AND excluded.epoch > waybill_inbox.epoch";

// The same for several, in the order of the arrays: an ORDER BY would cost a quarter more.
constexpr std::string_view kPostgresInsertSeveral =
    "INSERT INTO waybill_inbox(consumer, message_id, epoch, gmt_create, verdict, sent_at)"
    " SELECT $1::text, w.message_id, w.epoch, now(), 'done', w.sent_at"
    " FROM unnest($2::text[], $3::int[], $4::timestamptz[]) AS w(message_id, epoch, sent_at)"
    " ON CONFLICT (consumer, message_id) DO UPDATE SET epoch = excluded.epoch,"
    " gmt_create = excluded.gmt_create, verdict = 'done', reason = NULL, confirmed_at = NULL,"
    " sent_at = excluded.sent_at"
    " WHERE waybill_inbox.verdict = 'failed' AND excluded.epoch > waybill_inbox.epoch";

// Affected rows cannot tell here: a duplicate counts 0 or, with CLIENT_FOUND_ROWS, 1. But only a
// row that was written or changed has an insert id. MariaDB assigns from left to right, so
// `verdict` and `epoch`, which the conditions read, come last; only a refused row has a reason.
// A deadlock that a handler kept to itself has ended the transaction: the row would stand alone,
// which the guard refuses, as the outbox's INSERT does.
const std::string kMariadbInsert =
    "SET STATEMENT sql_mode = IF(@@in_transaction AND @@autocommit, 'STRICT_ALL_TABLES', '" +
    std::string(kGuardText) +
    "') FOR"
    " INSERT INTO waybill_inbox(consumer, message_id, epoch, gmt_create, verdict, sent_at)"
    " VALUES (?, ?, ?, utc_timestamp(6), 'done', ?)"
    " ON DUPLICATE KEY UPDATE"
    " confirmed_at = IF(verdict = 'failed' AND VALUES(epoch) > epoch, NULL, confirmed_at),"
    " sent_at = IF(verdict = 'failed' AND VALUES(epoch) > epoch, VALUES(sent_at), sent_at),"
    " gmt_create = IF(verdict = 'failed' AND VALUES(epoch) > epoch, VALUES(gmt_create),"
    " gmt_create),"
    " reason = IF(verdict = 'failed' AND VALUES(epoch) > epoch, NULL, reason),"
    " epoch = IF(verdict = 'failed' AND VALUES(epoch) > epoch, VALUES(epoch), epoch),"
    " verdict = IF(reason IS NULL, 'done', verdict)";

constexpr std::size_t kMalformedStartBytes = 128;

std::uint64_t fnv1a(std::string_view text) noexcept {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

// An element of an array literal.
void append_element(std::string& array, std::string_view text) {
  array += array.empty() ? "{\"" : ",\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

bool is_printable(char c) noexcept {
  return c >= ' ' && c <= '~';
}

}  // namespace

InboxRow::InboxRow(Dialect dialect, std::string_view consumer, const Delivery& delivery)
    : dialect_(dialect),
      sent_at_(to_column(dialect, delivery.sent_at)),
      values_{consumer, std::string_view(delivery.message_id),
              static_cast<std::int64_t>(delivery.epoch), std::string_view(sent_at_)} {}

Statement InboxRow::statement() const noexcept {
  switch (dialect_) {
    case Dialect::postgres:
      return {kPostgresInsert, values_};
    case Dialect::mariadb:
      return {kMariadbInsert, values_};
    case Dialect::sqlite:
      break;
  }
  return {kSqliteInsert, values_};
}

InboxRows::InboxRows(std::string_view consumer, std::span<const Delivery> deliveries) {
  std::vector<const Delivery*> by_id;
  by_id.reserve(deliveries.size());
  for (const Delivery& delivery : deliveries) by_id.push_back(&delivery);
  std::sort(by_id.begin(), by_id.end(), [](const Delivery* left, const Delivery* right) {
    return left->message_id < right->message_id;
  });
  for (const Delivery* delivery : by_id) {
    append_element(ids_, delivery->message_id);
    append_element(epochs_, std::to_string(delivery->epoch));
    append_element(sent_, to_column(Dialect::postgres, delivery->sent_at) + "+00");
  }
  for (std::string* array : {&ids_, &epochs_, &sent_}) *array += '}';
  values_ = {consumer, std::string_view(ids_), std::string_view(epochs_), std::string_view(sent_)};
}

Statement InboxRows::statement() const noexcept {
  return {kPostgresInsertSeveral, values_};
}

InboxRowsSeen::InboxRowsSeen(Dialect dialect, std::string_view consumer,
                             std::span<const std::string_view> message_ids)
    : sql_("SELECT count(*) FROM waybill_inbox WHERE consumer = "), values_{consumer} {
  const auto next_parameter = [&] {
    return dialect == Dialect::postgres ? "$" + std::to_string(values_.size()) : std::string("?");
  };
  sql_ += next_parameter() + " AND message_id IN (";
  for (const std::string_view id : message_ids) {
    values_.emplace_back(id);
    sql_ += next_parameter() + ",";
  }
  sql_.back() = ')';
}

bool InboxRow::is_new(Dialect dialect, const Inserted& inserted) noexcept {
  if (dialect == Dialect::mariadb) return inserted.id != 0;
  return inserted.rows != 0;
}

std::string to_column(Dialect dialect, DatabaseTime time) {
  using namespace std::chrono;
  constexpr DatabaseTime kFirst{};
  constexpr DatabaseTime kLast = sys_days{year{9999} / December / 31};
  time = std::clamp(time, kFirst, kLast);
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  std::array<char, 64> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d.%06d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  constexpr std::size_t kDigitsBelowMillis = 3;
  const auto bytes = static_cast<std::size_t>(length);
  return {text.data(), dialect == Dialect::sqlite ? bytes - kDigitsBelowMillis : bytes};
}

std::string storable(std::string_view text, std::size_t bytes_max) {
  if (!is_storable_text(text)) {
    std::string ascii(text.substr(0, bytes_max));
    std::replace_if(
        ascii.begin(), ascii.end(), [](char c) { return !is_printable(c); }, '?');
    return ascii;
  }
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end));
}

std::string spell_malformed_id(std::string_view message_id) {
  std::string start(message_id.substr(0, kMalformedStartBytes));
  std::replace_if(
      start.begin(), start.end(), [](char c) { return !is_printable(c); }, '?');
  // Without '/', so that it can never be a message's id.
  std::replace(start.begin(), start.end(), '/', '|');
  std::array<char, 32> hash{};
  std::snprintf(hash.data(), hash.size(), "%016llx",
                static_cast<unsigned long long>(fnv1a(message_id)));
  return "malformed:" + std::string(hash.data()) + ":" + start;
}

}  // namespace waybill::inbox
