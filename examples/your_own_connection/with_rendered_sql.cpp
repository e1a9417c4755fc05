// An order and its message by SQL as data, as for a driver without an adapter. DATABASE: a
// connection string. libpq stands for your driver here.
#include <libpq-fe.h>

#include <memory>
#include <string_view>
#include <vector>

#include "shop.hpp"

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

// The rows that a statement with parameters affected; nothing is NULL.
int execute(PGconn* connection, const std::string& sql,
            const std::vector<std::optional<std::string>>& parameters = {}) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  const Result result(PQexecParams(connection, sql.c_str(), static_cast<int>(values.size()),
                                   nullptr, values.data(), nullptr, nullptr, 0),
                      &PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    throw std::runtime_error(PQerrorMessage(connection));
  return std::atoi(PQcmdTuples(result.get()));
}

void place_order(const std::string& url, const std::string& order_id) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()),
                                                                &PQfinish);
  waybill::Outbox outbox;
  waybill::Rendered rendered = outbox.render(waybill::Dialect::postgres, order_placed(order_id));
  if (rendered.result != waybill::AddResult::added) throw std::runtime_error(rendered.text);

  execute(connection.get(), "BEGIN");
  execute(connection.get(), "INSERT INTO orders VALUES ($1)", {order_id});  // before the message
  if (execute(connection.get(), rendered.sql, rendered.parameters) != 1)
    throw std::runtime_error("a duplicate, or no transaction is open");
  execute(connection.get(), "COMMIT");
}

int main(int argc, char** argv) {
  return run(argc, argv, place_order);
}
