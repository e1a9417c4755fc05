#include "mariadb_shop.hpp"

#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include "servers.hpp"
#include "waybill/drivers/mariadb.hpp"
#include "waybill/stores/mariadb.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {

MariadbClient::MariadbClient(const std::string& url)
    : connection_(mysql_init(nullptr), &mysql_close) {
  const mariadb::Address address = testing::must(mariadb::parse_url(url));
  mysql_optionsv(handle(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (mysql_real_connect(handle(), address.host.c_str(), address.user.c_str(), nullptr,
                         address.database.c_str(), address.port, nullptr,
                         CLIENT_MULTI_STATEMENTS) == nullptr) {
    throw std::runtime_error(mysql_error(handle()));
  }
  run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
}

std::int64_t MariadbClient::run(const std::string& sql) {
  std::int64_t affected = 0;
  int more = mysql_real_query(handle(), sql.data(), static_cast<unsigned long>(sql.size()));
  while (more == 0) {
    affected = static_cast<std::int64_t>(mysql_affected_rows(handle()));
    mysql_free_result(mysql_store_result(handle()));  // some statements answer with rows
    more = mysql_next_result(handle());
  }
  if (more > 0) throw std::runtime_error(std::string("MariaDB: ") + mysql_error(handle()));
  return affected;
}

std::vector<std::string> MariadbClient::values(const std::string& sql) {
  using Rows = std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)>;
  const int failed = mysql_real_query(handle(), sql.data(), static_cast<unsigned long>(sql.size()));
  const Rows rows(failed == 0 ? mysql_store_result(handle()) : nullptr, &mysql_free_result);
  if (!rows) throw std::runtime_error(std::string("MariaDB: ") + mysql_error(handle()));
  std::vector<std::string> second;
  while (const MYSQL_ROW row = mysql_fetch_row(rows.get())) second.emplace_back(row[1]);
  return second;
}

MariadbDatabase::MariadbDatabase() {
  static int next = 0;
  const std::string server = server_url("mariadb");
  name_ = "bench_" + std::to_string(getpid()) + "_" + std::to_string(++next);
  MariadbClient(server).run("CREATE DATABASE " + name_ + " CHARACTER SET utf8mb4");
  url_ = server.substr(0, server.rfind('/') + 1) + name_;
  testing::must(mariadb::apply_schema({.url = url_}, mariadb::SchemaPart::producer));
}

MariadbDatabase::~MariadbDatabase() {
  try {
    MariadbClient(server_url("mariadb")).run("DROP DATABASE " + name_);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
}

}  // namespace waybill::bench
