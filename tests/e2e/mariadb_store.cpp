#include <mysql.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <stdexcept>

#include "shop_store.hpp"
#include "waybill/testing/server.hpp"

namespace waybill::e2e {
namespace {

constexpr unsigned kServerGone = 2006;
constexpr unsigned kServerLost = 2013;

class MariadbClient final : public SqlClient {
 public:
  explicit MariadbClient(std::string url) : url_(std::move(url)) { connect(); }

  std::vector<std::string> query(const std::string& statements) override {
    std::vector<std::string> first_column;
    if (run(statements, first_column)) return first_column;
    const unsigned error = mysql_errno(connection_.get());
    if (error == kServerGone || error == kServerLost) {  // the server ended it meanwhile
      connect();
      if (run(statements, first_column)) return first_column;
    }
    throw std::runtime_error(std::string(mysql_error(connection_.get())) + ": " + statements);
  }

 private:
  void connect() {
    connection_.reset(mysql_init(nullptr));
    mysql_optionsv(connection_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const std::size_t user = url_.find("://") + 3;
    if (mysql_real_connect(connection_.get(), "127.0.0.1",
                           url_.substr(user, url_.find('@') - user).c_str(), nullptr,
                           url_.substr(url_.rfind('/') + 1).c_str(), port_of(url_), nullptr,
                           CLIENT_MULTI_STATEMENTS) == nullptr) {
      throw std::runtime_error(mysql_error(connection_.get()));
    }
  }

  // Every result is fetched, so that the connection is free for the next statements.
  bool run(const std::string& statements, std::vector<std::string>& first_column) {
    MYSQL* connection = connection_.get();
    int more = mysql_real_query(connection, statements.data(),
                                static_cast<unsigned long>(statements.size()));
    while (more == 0) {
      first_column.clear();
      const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> result(mysql_store_result(connection),
                                                                    &mysql_free_result);
      while (MYSQL_ROW row = result ? mysql_fetch_row(result.get()) : nullptr) {
        first_column.emplace_back(row[0] == nullptr ? "" : row[0]);
      }
      more = mysql_next_result(connection);
    }
    return more < 0;
  }

  const std::string url_;
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> connection_{nullptr, &mysql_close};
};

class MariadbStore final : public ShopStore {
 public:
  MariadbStore() : server_url_(testing::Server::shared(WAYBILL_SERVERS_TOOLS, "mariadb").url()) {
    static std::atomic<int> next{0};
    name_ = "e2e_" + std::to_string(::getpid()) + "_" + std::to_string(++next) + "_";
    for (const char* database : {"orders", "points"}) {
      MariadbClient(server_url_)
          .query("CREATE DATABASE " + name_ + database + " CHARACTER SET utf8mb4");
    }
  }
  ~MariadbStore() override {
    try {
      for (const char* database : {"orders", "points"}) {
        MariadbClient(server_url_).query("DROP DATABASE " + name_ + database);
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  MariadbStore(const MariadbStore&) = delete;
  MariadbStore& operator=(const MariadbStore&) = delete;

  std::string address(const std::string& database) const override { return url(database); }
  std::string url(const std::string& database) const override {
    return server_url_.substr(0, server_url_.rfind('/') + 1) + name_ + database;
  }
  std::unique_ptr<SqlClient> connect(const std::string& url) const override {
    return std::make_unique<MariadbClient>(url);
  }
  std::string client_command(const std::string& database) const override {
    return "mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -u root -P " +
           std::to_string(port_of(server_url_)) + " " + name_ + database;
  }
  std::string eight_column_table() const override {
    return "CREATE TABLE local_message (id bigint AUTO_INCREMENT PRIMARY KEY,"
           " gmt_create datetime DEFAULT (utc_timestamp()),"
           " gmt_modified datetime DEFAULT (utc_timestamp()), message_type varchar(128),"
           " biz_type varchar(64), identifier varchar(128), content text,"
           " state varchar(16) DEFAULT 'INIT') COLLATE utf8mb4_bin";
  }
  std::string other_time_zone() const override { return "SET time_zone = '+08:00'"; }

 private:
  const std::string server_url_;
  std::string name_;
};

}  // namespace

const char* const kStoreName = "mariadb";
const bool kStoreIsServer = true;

std::unique_ptr<ShopStore> make_shop_store(const std::string&, Host host) {
  if (host == Host::own) throw std::logic_error("no test kills a server of its own here yet");
  return std::make_unique<MariadbStore>();
}

}  // namespace waybill::e2e
