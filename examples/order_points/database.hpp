// The example's own small handles for SQLite, PostgreSQL and MariaDB: whatever a team already has
// takes their place. The services are templates over the handle; each process uses one kind.
#pragma once

#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace order_points {

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
  void operator()(PGconn* database) const noexcept { PQfinish(database); }
  void operator()(MYSQL* database) const noexcept { mysql_close(database); }
};
template <class Handle>
using Database = std::unique_ptr<std::remove_pointer_t<Handle>, CloseDatabase>;

// True for postgresql://… and mariadb://…; else an address is the path of a SQLite file.
[[nodiscard]] bool is_postgres(std::string_view address);
[[nodiscard]] bool is_mariadb(std::string_view address);

// Calls `use` with a null handle of the kind that the address names.
template <class Use>
auto with_kind_of(std::string_view address, Use&& use) {
  if (is_postgres(address)) return use(static_cast<PGconn*>(nullptr));
  if (is_mariadb(address)) return use(static_cast<MYSQL*>(nullptr));
  return use(static_cast<sqlite3*>(nullptr));
}

enum class OpenAs { existing, created_if_missing, read_only };

// SQLite: in WAL mode with full durability; read_only changes nothing. On servers the database must
// exist.
template <class Handle>
[[nodiscard]] Database<Handle> open_database(const std::string& address, OpenAs how);

// A server may have been restarted since the last statement.
void reconnect_if_lost(sqlite3* database);
void reconnect_if_lost(PGconn* database);
void reconnect_if_lost(MYSQL* database);

void run_sql(sqlite3* database, const std::string& sql);
void run_sql(PGconn* database, const std::string& sql);
void run_sql(MYSQL* database, const std::string& sql);

// One statement on its way: bind a value for each '?' in order, then step().
class SqliteQuery {
 public:
  SqliteQuery(sqlite3* database, std::string_view sql);
  ~SqliteQuery() { sqlite3_finalize(statement_); }
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // The text must live until the last step().
  SqliteQuery& bind(std::string_view text);
  SqliteQuery& bind(std::int64_t number);
  // True while there is a row.
  bool step();
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t affected() const;

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

class PostgresQuery {
 public:
  PostgresQuery(PGconn* database, std::string_view sql);

  PostgresQuery& bind(std::string_view text);
  PostgresQuery& bind(std::int64_t number);
  bool step();
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t affected() const;

 private:
  PGconn* database_;
  std::string sql_;  // with $1, $2 … for '?'
  std::vector<std::string> values_;
  std::unique_ptr<PGresult, decltype(&PQclear)> result_{nullptr, &PQclear};
  int row_ = -1;
};

class MariadbQuery {
 public:
  MariadbQuery(MYSQL* database, std::string_view sql) : database_(database), sql_(sql) {}

  MariadbQuery& bind(std::string_view text);
  MariadbQuery& bind(std::int64_t number);
  bool step();
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t affected() const { return affected_; }

 private:
  MariadbQuery& put(const std::string& literal);

  MYSQL* database_;
  std::string sql_;  // with the values bound so far in place of '?'
  std::size_t bound_to_ = 0;
  bool has_run_ = false;
  std::int64_t affected_ = 0;
  std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> result_{nullptr, &mysql_free_result};
  MYSQL_ROW row_ = nullptr;
};

template <class Handle>
struct QueryOf;
template <>
struct QueryOf<sqlite3*> {
  using Type = SqliteQuery;
};
template <>
struct QueryOf<PGconn*> {
  using Type = PostgresQuery;
};
template <>
struct QueryOf<MYSQL*> {
  using Type = MariadbQuery;
};
template <class Handle>
using Query = typename QueryOf<Handle>::Type;

// Milliseconds since 1970, by the host's clock.
[[nodiscard]] std::int64_t milliseconds_now();

}  // namespace order_points
