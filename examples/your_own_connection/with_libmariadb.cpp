// An order and its message in one transaction of a MYSQL*. DATABASE: host:port:user:database.
#include <waybill/adopt/mariadb.hpp>
#include <waybill/outbox/transaction_template.hpp>

#include "place.hpp"
#include "shop.hpp"

void insert_order(MYSQL* connection, const std::string& order_id) {
  std::string text(2 * order_id.size() + 1, '\0');
  text.resize(mysql_real_escape_string(connection, text.data(), order_id.data(), order_id.size()));
  const std::string sql = "INSERT INTO orders VALUES ('" + text + "')";
  if (mysql_query(connection, sql.c_str()) != 0) throw std::runtime_error(mysql_error(connection));
}

void place_order(const std::string& database, const std::string& order_id) {
  const Place place(database);
  MYSQL* connection = mysql_init(nullptr);
  mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (mysql_real_connect(connection, place.host.c_str(), place.user.c_str(), nullptr,
                         place.database.c_str(), place.port, nullptr, 0) == nullptr)
    throw std::runtime_error(mysql_error(connection));

  waybill::Outbox outbox;
  {
    waybill::TransactionTemplate<MYSQL*> transactions(connection, outbox);
    auto placed = transactions.execute([&](auto& tx) {
      insert_order(tx.connection(), order_id);
      tx.add(order_placed(order_id));
    });
    if (!placed.committed()) throw std::runtime_error(placed.reason);
  }
  mysql_close(connection);
}

int main(int argc, char** argv) {
  return run(argc, argv, place_order);
}
