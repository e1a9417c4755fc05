// An order and its message in one transaction of SOCI. DATABASE: a connection string.
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <waybill/adopt/postgres.hpp>
#include <waybill/adopt/soci.hpp>
#include <waybill/outbox/outbox.hpp>

#include "shop.hpp"

void place_order(const std::string& database, const std::string& order_id) {
  soci::session session(soci::postgresql, database);
  waybill::SociSession<soci::postgresql_session_backend> connection(session);
  waybill::Outbox outbox;

  soci::transaction transaction(session);
  session << "INSERT INTO orders VALUES (:id)", soci::use(order_id);
  const waybill::Ticket ticket = outbox.add(connection, order_placed(order_id));
  if (ticket.result != waybill::AddResult::added) throw std::runtime_error(ticket.text);
  transaction.commit();
}

int main(int argc, char** argv) {
  return run(argc, argv, place_order);
}
