// A shop in a MariaDB database of its own, on the server that ctest started.
#pragma once

#include <mysql.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "waybill/testing/server.hpp"

namespace waybill::testing {

// mariadb://user@host:port/database.
struct MariadbUrl {
  explicit MariadbUrl(const std::string& url) {
    const std::size_t at = url.find('@'), colon = url.find(':', at), slash = url.find('/', colon);
    host = url.substr(at + 1, colon - at - 1);
    port = static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1, slash - colon - 1)));
    database = url.substr(slash + 1);
  }

  std::string host;
  std::uint16_t port = 0;
  std::string database;
};

// A client that knows nothing of waybill.
class MariadbClient {
 public:
  using Handle = MYSQL*;

  explicit MariadbClient(const MariadbUrl& url, const char* characters = "utf8mb4",
                         unsigned long flags = 0)
      : owner_(mysql_init(nullptr), &mysql_close), handle_(owner_.get()) {
    mysql_options(handle_, MYSQL_SET_CHARSET_NAME, characters);
    if (mysql_real_connect(handle_, url.host.c_str(), "root", nullptr, url.database.c_str(),
                           url.port, nullptr, flags) == nullptr) {
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

  MariadbShop() : url(make_database()), caller(url), other(url), reader_(url) {
    caller.execute("CREATE TABLE orders (id varchar(64) PRIMARY KEY)");
    caller.execute(
        "CREATE TABLE local_message (id bigint AUTO_INCREMENT PRIMARY KEY,"
        " gmt_create datetime(6) NOT NULL, gmt_modified datetime(6) NOT NULL,"
        " message_type varchar(128) NOT NULL, biz_type varchar(64) NOT NULL,"
        " identifier varchar(128) NOT NULL, content longtext NOT NULL, state varchar(16) NOT NULL,"
        " headers text, UNIQUE (biz_type, message_type, identifier))");
  }
  ~MariadbShop() {
    try {
      reader_.execute("DROP DATABASE " + url.database);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  MariadbShop(const MariadbShop&) = delete;
  MariadbShop& operator=(const MariadbShop&) = delete;

  [[nodiscard]] int count(const std::string& from) {
    return std::stoi(reader_.query("SELECT COUNT(*) FROM " + from).at(0));
  }

  const MariadbUrl url;
  MariadbClient caller;
  MariadbClient other;

 private:
  static MariadbUrl make_database() {
    static std::atomic<int> next{0};
    MariadbUrl url(Server::shared(WAYBILL_SERVERS_TOOLS, "mariadb").url());
    const std::string name = "waybill_" + std::to_string(::getpid()) + "_" + std::to_string(++next);
    MariadbClient(url).execute("CREATE DATABASE " + name +
                               " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin");
    url.database = name;
    return url;
  }

  MariadbClient reader_;
};

}  // namespace waybill::testing
