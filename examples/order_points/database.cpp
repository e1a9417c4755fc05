#include "database.hpp"

#include <chrono>
#include <cstdlib>

namespace order_points {
namespace {

[[noreturn]] void fail(sqlite3* database, std::string_view what) {
  const char* text = database ? sqlite3_errmsg(database) : "out of memory";
  throw std::runtime_error(std::string(what) + ": " + text);
}

[[noreturn]] void fail(PGconn* database, std::string_view what) {
  throw std::runtime_error(std::string(what) + ": " + PQerrorMessage(database));
}

}  // namespace

bool is_postgres(std::string_view address) {
  return address.starts_with("postgresql://") || address.starts_with("postgres://");
}

bool is_mariadb(std::string_view address) {
  return address.starts_with("mariadb://");
}

template <>
Database<sqlite3*> open_database<sqlite3*>(const std::string& path, OpenAs how) {
  const int flags = how == OpenAs::read_only  ? SQLITE_OPEN_READONLY
                    : how == OpenAs::existing ? SQLITE_OPEN_READWRITE
                                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database<sqlite3*> database(raw);
  if (opened != SQLITE_OK) fail(raw, "cannot open the database " + path);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  if (how != OpenAs::read_only)
    run_sql(raw, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON");
  return database;
}

template <>
Database<PGconn*> open_database<PGconn*>(const std::string& url, OpenAs how) {
  Database<PGconn*> database(PQconnectdb(url.c_str()));
  if (PQstatus(database.get()) != CONNECTION_OK) fail(database.get(), "cannot connect");
  run_sql(database.get(), "SET client_min_messages = warning");
  if (how == OpenAs::read_only) run_sql(database.get(), "SET default_transaction_read_only = on");
  return database;
}

void reconnect_if_lost(sqlite3*) {}

void reconnect_if_lost(PGconn* database) {
  if (PQstatus(database) != CONNECTION_OK) PQreset(database);
}

void run_sql(sqlite3* database, const std::string& sql) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    fail(database, "cannot run SQL");
}

void run_sql(PGconn* database, const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(database, sql.c_str()),
                                                             &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(database, "cannot run SQL");
}

SqliteQuery::SqliteQuery(sqlite3* database, std::string_view sql) : database_(database) {
  if (sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_,
                         nullptr) != SQLITE_OK)
    fail(database, "cannot prepare a statement");
}

SqliteQuery& SqliteQuery::bind(std::string_view text) {
  const char* bytes = text.data() ? text.data() : "";
  if (sqlite3_bind_text64(statement_, ++bound_, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK)
    fail(database_, "cannot bind a text");
  return *this;
}

SqliteQuery& SqliteQuery::bind(std::int64_t number) {
  if (sqlite3_bind_int64(statement_, ++bound_, number) != SQLITE_OK)
    fail(database_, "cannot bind a number");
  return *this;
}

bool SqliteQuery::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(database_, "cannot run a statement");
  return false;
}

std::int64_t SqliteQuery::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string SqliteQuery::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string(bytes,
                             static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
               : std::string();
}

std::int64_t SqliteQuery::affected() const {
  return sqlite3_changes(database_);
}

PostgresQuery::PostgresQuery(PGconn* database, std::string_view sql) : database_(database) {
  int parameter = 0;
  for (const char c : sql) {
    if (c == '?') {
      sql_ += "$" + std::to_string(++parameter);
    } else {
      sql_ += c;
    }
  }
}

PostgresQuery& PostgresQuery::bind(std::string_view text) {
  values_.emplace_back(text);
  return *this;
}

PostgresQuery& PostgresQuery::bind(std::int64_t number) {
  values_.push_back(std::to_string(number));
  return *this;
}

bool PostgresQuery::step() {
  if (!result_) {
    std::vector<const char*> values;
    for (const std::string& value : values_) values.push_back(value.c_str());
    result_.reset(PQexecParams(database_, sql_.c_str(), static_cast<int>(values.size()), nullptr,
                               values.data(), nullptr, nullptr, 0));
    const ExecStatusType status = PQresultStatus(result_.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
      fail(database_, "cannot run a statement");
  }
  return ++row_ < PQntuples(result_.get());
}

std::int64_t PostgresQuery::number(int column) const {
  return std::atoll(PQgetvalue(result_.get(), row_, column));
}

std::string PostgresQuery::text(int column) const {
  return {PQgetvalue(result_.get(), row_, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))};
}

std::int64_t PostgresQuery::affected() const {
  return std::atoll(PQcmdTuples(result_.get()));
}

std::int64_t milliseconds_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace order_points
