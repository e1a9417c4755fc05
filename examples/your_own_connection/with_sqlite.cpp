// An order and its message in one transaction of a sqlite3*. DATABASE: a file.
#include <waybill/adopt/sqlite.hpp>
#include <waybill/outbox/transaction_template.hpp>

#include "shop.hpp"

void insert_order(sqlite3* db, const std::string& order_id) {
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO orders VALUES (?)", -1, &insert, nullptr);
  sqlite3_bind_text(insert, 1, order_id.c_str(), -1, SQLITE_TRANSIENT);
  sqlite3_step(insert);
  if (sqlite3_finalize(insert) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db));
}

void place_order(const std::string& file, const std::string& order_id) {
  sqlite3* db = nullptr;
  if (sqlite3_open(file.c_str(), &db) != SQLITE_OK) throw std::runtime_error("cannot open " + file);
  sqlite3_busy_timeout(db, 5000);

  waybill::Outbox outbox;
  {
    waybill::TransactionTemplate<sqlite3*> transactions(db, outbox);
    auto placed = transactions.execute([&](auto& tx) {
      insert_order(tx.connection(), order_id);
      tx.add(order_placed(order_id));
    });
    if (!placed.committed()) throw std::runtime_error(placed.reason);
  }
  sqlite3_close(db);
}

int main(int argc, char** argv) {
  return run(argc, argv, place_order);
}
