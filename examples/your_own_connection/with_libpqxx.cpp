// An order and its message in one transaction of libpqxx. DATABASE: a connection string.
#include <waybill/adopt/pqxx.hpp>

#include "shop.hpp"

void place_order(const std::string& url, const std::string& order_id) {
  pqxx::connection connection(url);
  waybill::Outbox outbox;

  pqxx::work transaction(connection);
  transaction.exec_params("INSERT INTO orders VALUES ($1)", order_id);  // before the message
  const waybill::Ticket ticket = outbox.add(transaction, order_placed(order_id));
  if (ticket.result != waybill::AddResult::added) throw std::runtime_error(ticket.text);
  transaction.commit();
}

int main(int argc, char** argv) {
  return run(argc, argv, place_order);
}
