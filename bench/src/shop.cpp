#include "shop.hpp"

#include <cstdlib>
#include <stdexcept>

#include "waybill/stores/sqlite.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {

void run(sqlite3* db, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string(sqlite3_errmsg(db)) + ": " + sql);
  }
}

Database open_database(const std::string& path) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open(path.c_str(), &raw);
  Database db(raw, &sqlite3_close);
  if (opened != SQLITE_OK) throw std::runtime_error("cannot open " + path);
  run(raw, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;");
  return db;
}

void create_shop(const std::string& path) {
  testing::must(sqlite::apply_schema({.path = path}, sqlite::SchemaPart::producer));
  const Database db = open_database(path);
  run(db.get(),
      "CREATE TABLE orders(order_id INTEGER PRIMARY KEY, user_id INTEGER, amount_cents INTEGER);"
      "CREATE TABLE lines(order_id INTEGER, line INTEGER, article TEXT, pieces INTEGER,"
      "  PRIMARY KEY(order_id, line)) WITHOUT ROWID;"
      "CREATE TABLE stock(article TEXT PRIMARY KEY, pieces INTEGER) WITHOUT ROWID;"
      "INSERT INTO stock VALUES('bolt', 1000000000);");
}

Prepared::Prepared(sqlite3* db, const char* sql) : statement_(nullptr, &sqlite3_finalize) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string(sqlite3_errmsg(db)) + ": " + sql);
  }
  statement_.reset(raw);
}

Prepared& Prepared::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

Prepared& Prepared::bind(int index, const std::string& value) {
  sqlite3_bind_text(statement_.get(), index, value.data(), static_cast<int>(value.size()),
                    SQLITE_STATIC);
  return *this;
}

void Prepared::execute() {
  int step = SQLITE_ROW;
  while (step == SQLITE_ROW) step = sqlite3_step(statement_.get());
  sqlite3_reset(statement_.get());
  if (step != SQLITE_DONE) {
    throw std::runtime_error(sqlite3_errmsg(sqlite3_db_handle(statement_.get())));
  }
}

OrderWriter::OrderWriter(sqlite3* db)
    : order_(db, "INSERT INTO orders VALUES(?, ?, ?)"),
      line_(db, "INSERT INTO lines VALUES(?, ?, ?, ?)"),
      stock_(db, "UPDATE stock SET pieces = pieces - ? WHERE article = 'bolt'") {}

void OrderWriter::write(std::int64_t order_id) {
  static const std::string kArticle = "bolt";
  order_.bind(1, order_id).bind(2, order_id % 100).bind(3, std::int64_t{1999}).execute();
  for (std::int64_t line = 1; line <= 3; ++line) {
    line_.bind(1, order_id).bind(2, line).bind(3, kArticle).bind(4, line).execute();
  }
  stock_.bind(1, std::int64_t{6}).execute();
}

}  // namespace waybill::bench
