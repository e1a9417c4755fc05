#include "rows.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>

#include "sql.hpp"

namespace waybill::sqlite {
namespace {

int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  if (at + count > text.size()) return 0;
  std::from_chars(text.data() + at, text.data() + at + count, value);
  return value;
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
  store::set_state(row, query.text(1));
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
  store::decode(row, query.text(6), query.is_null(3) || query.is_null(4) || query.is_null(5));
  return row;
}

std::vector<Route> read_routes(Connection& connection) {
  std::vector<Route> routes;
  Query query = connection.query(sql::kRoutes);
  while (query.step()) {
    routes.push_back(store::make_route(query.text(0), query.text(1), query.text(2),
                                       Millis(query.number(3)), query.text(4), query.text(5),
                                       query.number(6)));
  }
  return routes;
}

LeaseView read_lease(Connection& connection) {
  Query query = connection.query(sql::kLease);
  if (!query.step()) throw store::empty_lease_table();
  return {static_cast<std::uint64_t>(query.number(0)), static_cast<std::uint64_t>(query.number(1)),
          query.text(2)};
}

bool is_held(Connection& connection, const Lease& lease) {
  const LeaseView now = read_lease(connection);
  return now.fence == lease.fence && now.holder == lease.holder;
}

std::vector<store::StoredReceipt> read_receipts(Connection& connection,
                                                std::span<const std::int64_t> ids) {
  std::vector<store::StoredReceipt> receipts;
  for (const std::int64_t id : ids) {
    Query query = connection.query(sql::kReceipts);
    query.bind(id);
    while (query.step()) {
      receipts.push_back({id, query.text(0), query.text(1),
                          static_cast<std::uint32_t>(query.number(2)), query.text(3)});
    }
  }
  return receipts;
}

}  // namespace waybill::sqlite
