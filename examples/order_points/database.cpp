#include "database.hpp"

#include <chrono>

namespace order_points {
namespace {

[[noreturn]] void fail(sqlite3* database, std::string_view what) {
  const int code = database ? sqlite3_extended_errcode(database) : SQLITE_NOMEM;
  const char* text = database ? sqlite3_errmsg(database) : "out of memory";
  throw DatabaseError(std::string(what) + ": " + text, code);
}

}  // namespace

Database open_database(const std::string& path, OpenAs how) {
  const int flags = how == OpenAs::read_only  ? SQLITE_OPEN_READONLY
                    : how == OpenAs::existing ? SQLITE_OPEN_READWRITE
                                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (opened != SQLITE_OK) fail(raw, "cannot open the database " + path);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  if (how != OpenAs::read_only)
    run_sql(raw, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON");
  return database;
}

void run_sql(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail(database, "cannot run SQL");
}

Query::Query(sqlite3* database, std::string_view sql) : database_(database) {
  if (sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_,
                         nullptr) != SQLITE_OK)
    fail(database, "cannot prepare a statement");
}

Query& Query::bind(std::string_view text) {
  const char* bytes = text.data() ? text.data() : "";
  if (sqlite3_bind_text64(statement_, ++bound_, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK)
    fail(database_, "cannot bind a text");
  return *this;
}

Query& Query::bind(std::int64_t number) {
  if (sqlite3_bind_int64(statement_, ++bound_, number) != SQLITE_OK)
    fail(database_, "cannot bind a number");
  return *this;
}

bool Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(database_, "cannot run a statement");
  return false;
}

std::int64_t Query::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Query::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string(bytes,
                             static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
               : std::string();
}

std::int64_t milliseconds_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace order_points
