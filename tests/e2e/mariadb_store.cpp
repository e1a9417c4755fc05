#include <mysql.h>

#include <cstdio>
#include <stdexcept>

#include "server_store.hpp"

namespace waybill::e2e {
namespace {

constexpr unsigned kServerGone = 2006;
constexpr unsigned kServerLost = 2013;
constexpr std::size_t kSessionsMin = 10;  // the least that max_connections can be
constexpr std::size_t kSessionsMax = 200;

class MariadbClient final : public SqlClient {
 public:
  explicit MariadbClient(std::string url) : url_(std::move(url)) { connect(); }

  std::vector<std::string> query(const std::string& statements) override {
    if (!connection_) connect();
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
      const std::string error = mysql_error(connection_.get());
      connection_.reset();
      throw std::runtime_error(error);
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

class MariadbStore final : public TwoDatabases {
 public:
  MariadbStore(const std::string& folder, Host host) : TwoDatabases("mariadb", folder, host) {
    for (const char* database : {"orders", "points"}) {
      MariadbClient(server_url_)
          .query("CREATE DATABASE " + name_ + database + " CHARACTER SET utf8mb4");
    }
  }
  ~MariadbStore() override {
    if (host_ == Host::own) return;  // wiped with its server
    try {
      for (const char* database : {"orders", "points"}) {
        MariadbClient(server_url_).query("DROP DATABASE " + name_ + database);
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
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

  void set_read_only(bool is_read_only) override {
    MariadbClient(server_url_)
        .query(std::string("SET GLOBAL read_only = ") + (is_read_only ? "ON" : "OFF"));
  }
  void end_sessions() override { end_sessions(*connect(server_url_)); }
  void set_full(bool is_full) override {
    if (!is_full) {
      idle_.back()->query("SET GLOBAL max_connections = " + std::to_string(kSessionsMax));
      idle_.clear();
      return;
    }
    idle_.push_back(connect(server_url_));
    idle_.back()->query("SET GLOBAL max_connections = " + std::to_string(kSessionsMin));
    while (idle_.size() < kSessionsMin) {
      end_sessions(*idle_.front());
      try {
        idle_.push_back(connect(server_url_));
      } catch (const std::runtime_error&) {
        // A session of the shop was faster.
      }
    }
  }
  void create_login(const std::string& name, const std::vector<std::string>& roles) override {
    MariadbClient administrator(server_url_);
    // A login has one default role.
    administrator.query("CREATE USER " + name + "; CREATE ROLE " + name + "_roles");
    for (const std::string& role : roles) {
      administrator.query("GRANT " + role + " TO " + name + "_roles");
    }
    administrator.query("GRANT " + name + "_roles TO " + name + "; SET DEFAULT ROLE " + name +
                        "_roles FOR " + name);
  }
  std::string grant(const std::string& rights, const std::string& table,
                    const std::string& login) const override {
    return "GRANT " + rights + " ON " + table + " TO " + login;
  }
  std::string revoke(const std::string& rights, const std::string& table,
                     const std::string& role) const override {
    return "REVOKE " + rights + " ON " + table + " FROM " + role;
  }

 private:
  void end_sessions(SqlClient& administrator) const {
    for (const std::string& id : administrator.query(
             "SELECT id FROM information_schema.processlist WHERE db LIKE '" + name_ + "%'")) {
      try {
        administrator.query("KILL " + id);
      } catch (const std::runtime_error&) {
        // It ended by itself meanwhile.
      }
    }
  }

  std::vector<std::unique_ptr<SqlClient>> idle_;  // that fill the server
};

}  // namespace

const char* const kStoreName = "mariadb";
const bool kStoreIsServer = true;

std::unique_ptr<ShopStore> make_shop_store(const std::string& folder, Host host) {
  return std::make_unique<MariadbStore>(folder, host);
}

}  // namespace waybill::e2e
