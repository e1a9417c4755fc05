#include <libpq-fe.h>

#include <cstdio>
#include <stdexcept>

#include "server_store.hpp"

namespace waybill::e2e {
namespace {

class PostgresClient final : public SqlClient {
 public:
  explicit PostgresClient(const std::string& url)
      : connection_(PQconnectdb(url.c_str()), &PQfinish) {
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
  }

  std::vector<std::string> query(const std::string& statements) override {
    std::unique_ptr<PGresult, void (*)(PGresult*)> result(
        PQexec(connection_.get(), statements.c_str()), &PQclear);
    if (PQstatus(connection_.get()) != CONNECTION_OK) {  // the server ended it meanwhile
      PQreset(connection_.get());
      result.reset(PQexec(connection_.get(), statements.c_str()));
    }
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(PQerrorMessage(connection_.get()) + statements);
    }
    std::vector<std::string> first_column;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      first_column.emplace_back(PQgetvalue(result.get(), row, 0));
    }
    return first_column;
  }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

class PostgresStore final : public TwoDatabases {
 public:
  PostgresStore(const std::string& folder, Host host) : TwoDatabases("postgres", folder, host) {
    for (const char* database : {"orders", "points"}) {
      PostgresClient(server_url_).query("CREATE DATABASE " + name_ + database);
    }
  }
  ~PostgresStore() override {
    if (host_ == Host::own) return;  // wiped with its server
    try {
      for (const char* database : {"orders", "points"}) {
        PostgresClient(server_url_).query("DROP DATABASE " + name_ + database + " WITH (FORCE)");
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  std::unique_ptr<SqlClient> connect(const std::string& url) const override {
    return std::make_unique<PostgresClient>(url);
  }
  std::string client_command(const std::string& database) const override {
    return "psql -q -v ON_ERROR_STOP=1 -f - " + url(database);
  }
  std::string eight_column_table() const override {
    return "CREATE TABLE local_message (id bigserial PRIMARY KEY,"
           " gmt_create timestamptz DEFAULT now(), gmt_modified timestamptz DEFAULT now(),"
           " message_type varchar(128), biz_type varchar(64), identifier varchar(128),"
           " content text, state varchar(16) DEFAULT 'INIT')";
  }

  std::string other_time_zone() const override { return "SET TIME ZONE 'Asia/Shanghai'"; }

  void set_read_only(bool is_read_only) override {
    // A standby refuses in the same way; who administers it is not refused here.
    PostgresClient administrator(server_url_);
    administrator.query(std::string("ALTER SYSTEM SET default_transaction_read_only = ") +
                        (is_read_only ? "on" : "off"));
    administrator.query("SELECT pg_reload_conf()");
  }
  void end_sessions() override {
    PostgresClient(server_url_)
        .query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '" +
               name_ + "%'");
  }
  void set_full(bool is_full) override {
    for (const char* database : {"orders", "points"}) {
      PostgresClient(server_url_)
          .query("ALTER DATABASE " + name_ + database + " CONNECTION LIMIT " +
                 (is_full ? "0" : "-1"));
    }
    if (is_full) end_sessions();
  }
  void create_login(const std::string& name, const std::vector<std::string>& roles) override {
    PostgresClient administrator(server_url_);
    administrator.query("CREATE ROLE " + name + " LOGIN");
    for (const std::string& role : roles) administrator.query("GRANT " + role + " TO " + name);
  }
  std::string grant(const std::string& rights, const std::string& table,
                    const std::string& login) const override {
    return "GRANT " + rights + " ON " + table + " TO " + login;
  }
  std::string revoke(const std::string& rights, const std::string& table,
                     const std::string& role) const override {
    return "REVOKE " + rights + " ON " + table + " FROM " + role;
  }
};

}  // namespace

const char* const kStoreName = "postgres";
const bool kStoreIsServer = true;

std::unique_ptr<ShopStore> make_shop_store(const std::string& folder, Host host) {
  return std::make_unique<PostgresStore>(folder, host);
}

}  // namespace waybill::e2e
