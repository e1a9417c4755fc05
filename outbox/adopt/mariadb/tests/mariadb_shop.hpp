// A shop in a MariaDB database of its own, on the server that ctest started.
#pragma once

#include <mysql.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "mariadb_fixture.hpp"

namespace waybill::testing {

// A client that knows nothing of waybill.
class MariadbClient {
 public:
  explicit MariadbClient(const mariadb::Address& address, const char* characters = "utf8mb4",
                         unsigned long flags = 0)
      : owner_(mysql_init(nullptr), &mysql_close), handle_(owner_.get()) {
    mysql_optionsv(handle_, MYSQL_SET_CHARSET_NAME, characters);
    if (mysql_real_connect(handle_, address.host.c_str(), address.user.c_str(), nullptr,
                           address.database.c_str(), address.port, nullptr, flags) == nullptr) {
      throw std::runtime_error(mysql_error(handle_));
    }
  }

  [[nodiscard]] MYSQL*& handle() { return handle_; }
  void execute(const std::string& sql) { query(sql); }

  // The first column of every row.
  std::vector<std::string> query(const std::string& sql) {
    if (mysql_real_query(handle_, sql.data(), sql.size()) != 0) {
      throw std::runtime_error(std::string(mysql_error(handle_)) + ": " + sql);
    }
    std::vector<std::string> first_column;
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> result(mysql_store_result(handle_),
                                                                  &mysql_free_result);
    while (const MYSQL_ROW row = result ? mysql_fetch_row(result.get()) : nullptr) {
      first_column.emplace_back(row[0] != nullptr ? row[0] : "");
    }
    return first_column;
  }

 private:
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> owner_;
  MYSQL* handle_;
};

class MariadbShop {
 public:
  using Handle = MYSQL*;

  MariadbShop() : caller(address()), other(address()) {
    database_.execute("CREATE TABLE orders (id varchar(64) PRIMARY KEY)");
  }

  [[nodiscard]] int count(const std::string& from) {
    return std::stoi(database_.query("SELECT COUNT(*) FROM " + from).at(0));
  }
  [[nodiscard]] mariadb::Address address() const {
    return mariadb::parse_url(database_.options().url).value();
  }

 private:
  mariadb::MariadbFixture database_;

 public:
  MariadbClient caller;
  MariadbClient other;
};

}  // namespace waybill::testing
