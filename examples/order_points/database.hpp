// The example's own small handle for SQLite: whatever a team already has takes its place.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace order_points {

// A failed statement; `code` is SQLite's extended result code.
class DatabaseError : public std::runtime_error {
 public:
  DatabaseError(const std::string& text, int code) : std::runtime_error(text), code_(code) {}
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

enum class OpenAs { existing, created_if_missing, read_only };

// Opens the file in WAL mode with full durability; read_only changes nothing.
[[nodiscard]] Database open_database(const std::string& path, OpenAs how);

void run_sql(sqlite3* database, const char* sql);

// One statement on its way: bind in order, then step().
class Query {
 public:
  Query(sqlite3* database, std::string_view sql);
  ~Query() { sqlite3_finalize(statement_); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // The text must live until the last step().
  Query& bind(std::string_view text);
  Query& bind(std::int64_t number);
  // True while there is a row.
  bool step();
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

// Milliseconds since 1970, by the host's clock.
[[nodiscard]] std::int64_t milliseconds_now();

}  // namespace order_points
