#include "rows.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace waybill::mariadb {
namespace {

using namespace std::chrono;

constexpr DatabaseTime kFirst{};
constexpr DatabaseTime kEnd = sys_days(year(10000) / 1 / 1);

struct ResultDeleter {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};

}  // namespace

DatabaseTime to_time(const MYSQL_TIME& time) {
  const sys_days day = year(static_cast<int>(time.year)) / month(time.month) / time.day;
  return DatabaseTime(day) + hours(time.hour) + minutes(time.minute) + seconds(time.second) +
         microseconds(time.second_part);
}

MYSQL_TIME from_time(DatabaseTime time) {
  time = std::clamp(time, kFirst, kEnd - microseconds(1));
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<microseconds> clock(time - day);
  MYSQL_TIME value{};
  value.year = static_cast<unsigned>(static_cast<int>(date.year()));
  value.month = static_cast<unsigned>(date.month());
  value.day = static_cast<unsigned>(date.day());
  value.hour = static_cast<unsigned>(clock.hours().count());
  value.minute = static_cast<unsigned>(clock.minutes().count());
  value.second = static_cast<unsigned>(clock.seconds().count());
  value.second_part = static_cast<unsigned long>(clock.subseconds().count());
  value.time_type = MYSQL_TIMESTAMP_DATETIME;
  return value;
}

std::string to_text(DatabaseTime time) {
  const MYSQL_TIME value = from_time(time);
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%04u-%02u-%02u %02u:%02u:%02u.%06lu",
                                 value.year, value.month, value.day, value.hour, value.minute,
                                 value.second, value.second_part);
  return {text, static_cast<std::size_t>(size)};
}

Parameters& Parameters::add(Kind kind, std::string_view bytes) {
  parameters_.push_back({kind, 0, bytes_.size(), bytes.size()});
  bytes_ += bytes;
  return *this;
}

Parameters& Parameters::add(std::int64_t value) {
  parameters_.push_back({Kind::number, value, 0, 0});
  return *this;
}

Parameters& Parameters::add(DatabaseTime time) {
  parameters_.push_back({Kind::time, time.time_since_epoch().count(), 0, 0});
  return *this;
}

Parameters& Parameters::add(std::string_view text) {
  return add(Kind::text, text);
}

Parameters& Parameters::add_bytes(std::string_view bytes) {
  return add(Kind::bytes, bytes);
}

Parameters& Parameters::add_optional(std::string_view text) {
  return text.empty() ? add(Kind::null, {}) : add(text);
}

Parameters& Parameters::add_optional(const std::optional<DatabaseTime>& time) {
  return time ? add(*time) : add(Kind::null, {});
}

std::string_view Rows::view(std::size_t row, std::size_t column) const {
  const Cell& cell = at(row, column);
  return std::string_view(bytes_).substr(cell.begin, cell.size);
}

std::int64_t Rows::number(std::size_t row, std::size_t column) const {
  return at(row, column).number;
}

DatabaseTime Rows::time(std::size_t row, std::size_t column) const {
  return DatabaseTime(microseconds(at(row, column).number));
}

void Fetch::bind(MYSQL_RES* metadata) {
  const unsigned count = mysql_num_fields(metadata);
  const MYSQL_FIELD* fields = mysql_fetch_fields(metadata);
  columns_.resize(count);
  binds_.resize(count);
  for (unsigned i = 0; i < count; ++i) {
    Column& column = columns_[i];
    MYSQL_BIND& bind = binds_[i];
    bind.is_null = &column.is_null;
    bind.length = &column.size;
    switch (fields[i].type) {
      case MYSQL_TYPE_TINY:
      case MYSQL_TYPE_SHORT:
      case MYSQL_TYPE_LONG:
      case MYSQL_TYPE_INT24:
      case MYSQL_TYPE_LONGLONG:
        column.kind = Kind::number;
        bind.buffer_type = MYSQL_TYPE_LONGLONG;
        bind.buffer = &column.number;
        break;
      case MYSQL_TYPE_DATE:
      case MYSQL_TYPE_DATETIME:
      case MYSQL_TYPE_TIMESTAMP:
        column.kind = Kind::time;
        bind.buffer_type = MYSQL_TYPE_DATETIME;
        bind.buffer = &column.time;
        break;
      default:
        column.text.resize(std::max<unsigned long>(fields[i].max_length, 1));
        bind.buffer_type = MYSQL_TYPE_STRING;
        bind.buffer = column.text.data();
        bind.buffer_length = static_cast<unsigned long>(column.text.size());
    }
  }
}

void Fetch::append(Rows& rows) const {
  for (const Column& column : columns_) {
    Rows::Cell cell;
    cell.is_null = column.is_null != 0;
    if (!cell.is_null && column.kind == Kind::number) {
      cell.number = column.number;
    } else if (!cell.is_null && column.kind == Kind::time) {
      // A zero date is what a foreign hand wrote; it tells no time.
      if (column.time.month != 0 && column.time.day != 0) {
        cell.number = to_time(column.time).time_since_epoch().count();
      }
    } else if (!cell.is_null) {
      cell.begin = rows.bytes_.size();
      cell.size = column.size;
      rows.bytes_.append(column.text.data(), column.size);
    }
    rows.cells_.push_back(cell);
  }
}

bool Fetch::run(Rows& rows) {
  rows.affected_ = static_cast<std::int64_t>(mysql_stmt_affected_rows(statement_));
  rows.insert_id_ = static_cast<std::int64_t>(mysql_stmt_insert_id(statement_));
  if (mysql_stmt_field_count(statement_) == 0) return true;
  // With the longest of each column known, one buffer per column does for all rows.
  my_bool measure = 1;
  mysql_stmt_attr_set(statement_, STMT_ATTR_UPDATE_MAX_LENGTH, &measure);
  if (mysql_stmt_store_result(statement_) != 0) return false;
  const std::unique_ptr<MYSQL_RES, ResultDeleter> metadata(mysql_stmt_result_metadata(statement_));
  if (metadata == nullptr) return false;
  bind(metadata.get());
  if (mysql_stmt_bind_result(statement_, binds_.data()) != 0) return false;
  rows.columns_ = columns_.size();
  rows.cells_.reserve(rows.columns_ * mysql_stmt_num_rows(statement_));
  for (;;) {
    const int fetched = mysql_stmt_fetch(statement_);
    if (fetched == MYSQL_NO_DATA) break;
    if (fetched != 0) return false;
    append(rows);
  }
  return mysql_stmt_free_result(statement_) == 0;
}

}  // namespace waybill::mariadb
