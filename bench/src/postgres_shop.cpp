#include "postgres_shop.hpp"

#include <unistd.h>

#include <cstdio>

#include <cstdlib>
#include <stdexcept>

#include "servers.hpp"
#include "waybill/stores/postgres.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

void check(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
  throw std::runtime_error(std::string("PostgreSQL: ") + PQresultErrorMessage(result));
}

}  // namespace

PostgresClient::PostgresClient(const std::string& url)
    : connection_(PQconnectdb(url.c_str()), &PQfinish) {
  if (PQstatus(handle()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(handle()));
  run("SET client_min_messages = warning");
}

std::vector<std::string> PostgresClient::run(const std::string& sql) {
  const Result result(PQexec(handle(), sql.c_str()), &PQclear);
  check(result.get());
  std::vector<std::string> first_column;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    first_column.emplace_back(PQgetvalue(result.get(), row, 0));
  }
  return first_column;
}

void PostgresClient::prepare(const char* name, const std::string& sql) {
  check(Result(PQprepare(handle(), name, sql.c_str(), 0, nullptr), &PQclear).get());
}

std::int64_t PostgresClient::execute(const char* name, std::initializer_list<const char*> values) {
  const Result result(PQexecPrepared(handle(), name, static_cast<int>(values.size()),
                                     values.begin(), nullptr, nullptr, 0),
                      &PQclear);
  check(result.get());
  return std::atoll(PQcmdTuples(result.get()));
}

void PostgresClient::send(const char* name, std::initializer_list<const char*> values) {
  if (PQsendQueryPrepared(handle(), name, static_cast<int>(values.size()), values.begin(), nullptr,
                          nullptr, 0) == 0) {
    throw std::runtime_error(PQerrorMessage(handle()));
  }
}

void PostgresClient::finish(int statements) {
  PQpipelineSync(handle());
  for (int i = 0; i < statements; ++i) {
    check(Result(PQgetResult(handle()), &PQclear).get());
    PQgetResult(handle());  // the NULL behind each
  }
  const Result sync(PQgetResult(handle()), &PQclear);
  if (PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) throw std::runtime_error("no sync");
}

PostgresDatabase::PostgresDatabase() {
  static int next = 0;
  const std::string server = server_url("postgres");
  name_ = "bench_" + std::to_string(getpid()) + "_" + std::to_string(++next);
  PostgresClient(server).run("CREATE DATABASE " + name_);
  url_ = server.substr(0, server.rfind('/') + 1) + name_;
}

PostgresDatabase::~PostgresDatabase() {
  try {
    PostgresClient(server_url("postgres")).run("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
}

PostgresShop::PostgresShop() {
  for (const auto part : {postgres::SchemaPart::producer, postgres::SchemaPart::consumer}) {
    testing::must(postgres::apply_schema({.url = url()}, part));
  }
  PostgresClient(url()).run(
      "CREATE TABLE orders(order_id bigint PRIMARY KEY, user_id bigint, amount_cents bigint);"
      "CREATE TABLE lines(order_id bigint, line int, article text, pieces int,"
      "  PRIMARY KEY(order_id, line));"
      "CREATE TABLE stock(article text PRIMARY KEY, pieces bigint);"
      "INSERT INTO stock SELECT 'bolt-' || i, 1000000000 FROM generate_series(0, " +
      std::to_string(kArticles - 1) + ") AS i");
}

PostgresOrders::PostgresOrders(PostgresClient& client) : client_(client) {
  client.prepare("order", "INSERT INTO orders VALUES($1::bigint, $2::bigint, 1999)");
  client.prepare("line", "INSERT INTO lines VALUES($1::bigint, $2::int, $3, $2::int)");
  client.prepare("stock", "UPDATE stock SET pieces = pieces - 6 WHERE article = $1");
}

template <class Each>
void PostgresOrders::each(std::int64_t order_id, const Each& each) {
  const std::string order = std::to_string(order_id);
  const std::string user = std::to_string(order_id % 100);
  const std::string article = "bolt-" + std::to_string(order_id % PostgresShop::kArticles);
  each("order", {order.c_str(), user.c_str()});
  for (const char* line : {"1", "2", "3"}) each("line", {order.c_str(), line, article.c_str()});
  each("stock", {article.c_str()});
}

void PostgresOrders::write(std::int64_t order_id) {
  each(order_id, [&](const char* name, std::initializer_list<const char*> values) {
    client_.execute(name, values);
  });
}

void PostgresOrders::send(std::int64_t order_id) {
  each(order_id, [&](const char* name, std::initializer_list<const char*> values) {
    client_.send(name, values);
  });
}

}  // namespace waybill::bench
