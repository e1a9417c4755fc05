// The example's own small handles for SQLite and PostgreSQL: whatever a team already has takes
// their place. The services are templates over the handle; each process uses one kind.
#pragma once

#include <libpq-fe.h>
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
};
template <class Handle>
using Database = std::unique_ptr<std::remove_pointer_t<Handle>, CloseDatabase>;

// True for postgresql://…; else an address is the path of a SQLite file.
[[nodiscard]] bool is_postgres(std::string_view address);

enum class OpenAs { existing, created_if_missing, read_only };

// SQLite: in WAL mode with full durability; read_only changes nothing. PostgreSQL: the database
// must exist.
template <class Handle>
[[nodiscard]] Database<Handle> open_database(const std::string& address, OpenAs how);

// A server may have been restarted since the last statement.
void reconnect_if_lost(sqlite3* database);
void reconnect_if_lost(PGconn* database);

void run_sql(sqlite3* database, const std::string& sql);
void run_sql(PGconn* database, const std::string& sql);

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

template <class Handle>
using Query = std::conditional_t<std::is_same_v<Handle, sqlite3*>, SqliteQuery, PostgresQuery>;

// Milliseconds since 1970, by the host's clock.
[[nodiscard]] std::int64_t milliseconds_now();

}  // namespace order_points
