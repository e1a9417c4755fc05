#include "insert_statement.hpp"

#include <stdexcept>

namespace waybill {
namespace {

constexpr std::string_view kKey = "message_type, biz_type, identifier";

// The n-th parameter of a statement, counted from 1.
std::string parameter(Dialect dialect, std::size_t n) {
  return dialect == Dialect::postgres ? "$" + std::to_string(n) : "?";
}

std::string_view now(Dialect dialect) {
  switch (dialect) {
    case Dialect::sqlite:
      return "strftime('%Y-%m-%d %H:%M:%f', 'now')";
    case Dialect::postgres:
      return "now()";
    case Dialect::mariadb:
      return "UTC_TIMESTAMP(6)";
  }
  throw std::logic_error("unknown dialect");
}

// What comes before MariaDB's INSERT makes it strict, whatever the session's mode, so that it cuts
// nothing off. The guard is part of it, and refuses by a mode that there is not: an INSERT … SELECT
// … WHERE would hold the lock of the whole table's AUTO_INCREMENT while it waits for a row. Where
// MariaDB would begin a transaction unasked (autocommit = 0), it cannot be known whether one was
// ended before; and what is not utf8mb4 loses characters on its way. The server keeps the names of
// character sets in utf8mb3: compared with such a text they are not converted.
std::string mariadb_mode(Guard guard) {
  const std::string strict = "'STRICT_ALL_TABLES'";
  if (guard == Guard::none) return strict;
  return "IF(@@in_transaction AND @@autocommit AND @@character_set_client = _utf8mb3'utf8mb4'"
         " AND @@character_set_connection = _utf8mb3'utf8mb4', " +
         strict + ", '" + std::string(kGuardText) + "')";
}

// PostgreSQL's guard: it stands where the server looks before it takes the row's id from the
// sequence, which can give the transaction its own. A text that is no boolean is an error.
std::string_view condition(OnDuplicate on_duplicate) {
  return on_duplicate == OnDuplicate::skip
             ? "pg_current_xact_id_if_assigned() IS NOT NULL"
             : "CASE WHEN pg_current_xact_id_if_assigned() IS NULL"
               " THEN concat('waybill: needs a transaction that has written')::boolean"
               " ELSE true END";
}

// INSERT of so many rows, without what it returns.
std::string insert(Dialect dialect, const OutboxOptions& options, Guard guard,
                   OnDuplicate on_duplicate, std::size_t messages) {
  const bool selects = guard == Guard::in_statement && dialect == Dialect::postgres;
  std::string sql;
  if (dialect == Dialect::mariadb)
    sql = "SET STATEMENT sql_mode = " + mariadb_mode(guard) + " FOR ";
  sql += "INSERT INTO " + options.table +
         "(gmt_create, gmt_modified, message_type, biz_type, identifier, content, state" +
         (options.eight_columns ? ")" : ", headers)") + (selects ? "" : " VALUES");
  std::size_t n = 0;
  for (std::size_t i = 0; i < messages; ++i) {
    std::string row = std::string(now(dialect)) + ", " + std::string(now(dialect));
    for (int column = 0; column < 4; ++column) row += ", " + parameter(dialect, ++n);
    row += ", 'INIT'";
    if (!options.eight_columns) row += ", " + parameter(dialect, ++n);
    if (selects) {
      sql += (i == 0 ? " SELECT " : " UNION ALL SELECT ") + row + " WHERE " +
             std::string(condition(on_duplicate));
    } else {
      sql += (i == 0 ? "(" : ", (") + row + ")";
    }
  }
  const bool skips = on_duplicate == OnDuplicate::skip && dialect != Dialect::mariadb;
  if (skips) sql += " ON CONFLICT DO NOTHING";
  return sql;
}

// MariaDB reads the keys as so many ranges of the unique index. A plain SELECT would look at the
// past, as the transaction first saw it.
std::string find_by_ranges(const std::string& table, std::size_t messages) {
  std::string sql = "SELECT id, " + std::string(kKey) + " FROM " + table + " WHERE ";
  for (std::size_t i = 0; i < messages; ++i) {
    if (i > 0) sql += " OR ";
    sql += "(message_type = ? AND biz_type = ? AND identifier = ?)";
  }
  return sql + " LOCK IN SHARE MODE";
}

// The others would read all rows of a type for conditions that are joined by OR (PostgreSQL, while
// its statistics know nothing of the table), or refuse so many (SQLite); a subquery for each key
// has no other plan than the index. No table has a name with "$".
std::string find_by_subqueries(Dialect dialect, const std::string& table, std::size_t messages) {
  const std::string key(kKey);
  std::string sql = "WITH wanted$(" + key + ") AS (VALUES ";
  for (std::size_t n = 1; n <= 3 * messages; n += 3) {
    if (n > 1) sql += ", ";
    sql += "(" + parameter(dialect, n) + ", " + parameter(dialect, n + 1) + ", " +
           parameter(dialect, n + 2) + ")";
  }
  const auto equals = [&](const std::string& column) {
    return table + "." + column + " = wanted$." + column;
  };
  return sql + ") SELECT * FROM (SELECT (SELECT id FROM " + table + " WHERE " +
         equals("message_type") + " AND " + equals("biz_type") + " AND " + equals("identifier") +
         " LIMIT 1) AS id, " + key + " FROM wanted$) AS found WHERE id IS NOT NULL";
}

}  // namespace

std::string insert_statement(Dialect dialect, const OutboxOptions& options, Guard guard,
                             OnDuplicate on_duplicate) {
  std::string sql = insert(dialect, options, guard, on_duplicate, 1);
  if (dialect != Dialect::postgres) return sql;
  return sql + " RETURNING id" +
         (on_duplicate == OnDuplicate::skip ? ", pg_current_xact_id()" : "");
}

std::string insert_statement(Dialect dialect, const OutboxOptions& options, Guard guard,
                             std::size_t messages) {
  return insert(dialect, options, guard, OnDuplicate::skip, messages) + " RETURNING id, " +
         std::string(kKey) + (dialect == Dialect::postgres ? ", pg_current_xact_id()" : "");
}

std::string find_statement(Dialect dialect, const std::string& table, std::size_t messages) {
  return dialect == Dialect::mariadb ? find_by_ranges(table, messages)
                                     : find_by_subqueries(dialect, table, messages);
}

}  // namespace waybill
