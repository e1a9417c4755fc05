#include "shop_database.hpp"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace waybill::testing {

Sqlite open_sqlite(const std::string& path, int busy_milliseconds) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open(path.c_str(), &raw);
  Sqlite database(raw);
  if (code != SQLITE_OK) throw SqliteError(raw, "open " + path);
  sqlite3_busy_timeout(raw, busy_milliseconds);
  return database;
}

void run(sqlite3* database, const std::string& sql) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw SqliteError(database, sql);
  }
}

std::string text(sqlite3* database, const std::string& sql) {
  const auto rows = transaction_adapter<sqlite3*>::select(database, {sql, {}});
  return rows.empty() ? "" : rows.front().front();
}

std::int64_t number(sqlite3* database, const std::string& sql) {
  const std::string found = text(database, sql);
  return found.empty() ? -1 : std::stoll(found);
}

ShopDatabase::ShopDatabase(Columns columns) {
  const Sqlite database = open_sqlite(path());
  run(database.get(), "PRAGMA journal_mode=WAL; CREATE TABLE orders(id TEXT PRIMARY KEY)");
  const std::string fixed =
      "CREATE TABLE local_message(id INTEGER PRIMARY KEY AUTOINCREMENT, gmt_create TEXT NOT NULL,"
      " gmt_modified TEXT NOT NULL, message_type TEXT NOT NULL, biz_type TEXT NOT NULL,"
      " identifier TEXT NOT NULL, content TEXT NOT NULL, state TEXT NOT NULL";
  run(database.get(), fixed + (columns == Columns::nine
                                   ? ", headers TEXT, UNIQUE(biz_type, message_type, identifier))"
                                   : ")"));
}

Sqlite ShopDatabase::open(int busy_milliseconds) const {
  return open_sqlite(path(), busy_milliseconds);
}

std::int64_t ShopDatabase::orders() const {
  return number(open().get(), "SELECT count(*) FROM orders");
}

std::int64_t ShopDatabase::messages(const std::string& where) const {
  return number(open().get(), "SELECT count(*) FROM local_message WHERE " + where);
}

void insert_order(sqlite3* database, const std::string& id) {
  run(database, "INSERT INTO orders(id) VALUES('" + id + "')");
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace waybill::testing
