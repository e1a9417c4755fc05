// The smallest producer: an order and its message in one local transaction.
#include <sqlite3.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "waybill/adopt/sqlite.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace {

void execute(sqlite3* db, const std::string& statement) {
  if (sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(db));
  }
}

// Your business code, on your own connection.
void create_order(sqlite3* db, const std::string& order) {
  execute(db, "INSERT INTO orders VALUES ('" + order + "') ON CONFLICT DO NOTHING");
}

void place(sqlite3* db, const std::string& order, bool fails) {
  const waybill::Outbox outbox;
  waybill::TransactionTemplate<sqlite3*> transactions(db, outbox);
  const auto placed = transactions.execute([&](auto& tx) {
    create_order(tx.connection(), order);
    tx.add({.message_type = "order.placed",
            .biz_type = "order",
            .identifier = order,
            .content = R"({"order_id":")" + order + R"(","user_id":"u1","points":42})"});
    if (fails) tx.set_rollback_only("the customer has no credit");
  });
  std::cout << (placed.committed() ? "committed" : "rolled back: " + placed.reason) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: first_message DATABASE ORDER [--fail]\n";
    return 2;
  }
  try {
    sqlite3* opened = nullptr;
    sqlite3_open(argv[1], &opened);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(opened, &sqlite3_close);
    execute(db.get(), "CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY)");
    place(db.get(), argv[2], argc > 3);
    return 0;
  } catch (const waybill::DuplicateMessage&) {
    std::cout << "placed before: nothing was written\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "first_message: " << error.what() << '\n';
    return 1;
  }
}
