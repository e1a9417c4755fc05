// An order and its message in one transaction of Qt SQL. DATABASE: host:port:user:database, of
// MariaDB.
#include <QtCore/QCoreApplication>
#include <QtSql/QSqlError>
#include <QtSql/QSqlQuery>
#include <waybill/adopt/mariadb.hpp>
#include <waybill/adopt/qt.hpp>
#include <waybill/outbox/outbox.hpp>

#include "place.hpp"
#include "shop.hpp"

// `of` is the database or the query that did it.
template <class Of>
void must(bool done, const Of& of) {
  if (!done) throw std::runtime_error(of.lastError().text().toStdString());
}

void place_order(const std::string& where, const std::string& order_id) {
  const Place place(where);
  QSqlDatabase database = QSqlDatabase::addDatabase("QMYSQL");
  database.setHostName(place.host.c_str());
  database.setPort(place.port);
  database.setUserName(place.user.c_str());
  database.setDatabaseName(place.database.c_str());
  must(database.open(), database);
  QSqlQuery query(database);
  must(query.exec("SET NAMES utf8mb4"), query);  // the driver's utf8 has three bytes

  waybill::QtDatabase<MYSQL*> connection(database);
  waybill::Outbox outbox;
  must(database.transaction(), database);
  query.prepare("INSERT INTO orders VALUES (?)");
  query.addBindValue(order_id.c_str());
  must(query.exec(), query);
  const waybill::Ticket ticket = outbox.add(connection, order_placed(order_id));
  if (ticket.result != waybill::AddResult::added) throw std::runtime_error(ticket.text);
  must(database.commit(), database);
}

int main(int argc, char** argv) {
  const QCoreApplication application(argc, argv);
  return run(argc, argv, place_order);
}
