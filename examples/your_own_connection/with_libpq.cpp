// An order and its message in one transaction of a PGconn*. DATABASE: a connection string.
#include <waybill/adopt/postgres.hpp>
#include <waybill/outbox/transaction_template.hpp>

#include "shop.hpp"

void insert_order(PGconn* connection, const std::string& order_id) {
  const char* values[] = {order_id.c_str()};
  PGresult* result = PQexecParams(connection, "INSERT INTO orders VALUES ($1)", 1, nullptr, values,
                                  nullptr, nullptr, 0);
  const bool inserted = PQresultStatus(result) == PGRES_COMMAND_OK;
  PQclear(result);
  if (!inserted) throw std::runtime_error(PQerrorMessage(connection));
}

void place_order(const std::string& url, const std::string& order_id) {
  PGconn* connection = PQconnectdb(url.c_str());
  if (PQstatus(connection) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection));

  waybill::Outbox outbox;
  waybill::TransactionTemplate<PGconn*> transactions(connection, outbox);
  auto placed = transactions.execute([&](auto& tx) {
    insert_order(tx.connection(), order_id);
    tx.add(order_placed(order_id));
  });
  PQfinish(connection);
  if (!placed.committed()) throw std::runtime_error(placed.reason);
}

int main(int argc, char** argv) {
  return run(argc, argv, place_order);
}
