// A PostgreSQL database of its own for a test, on the server that ctest started.
#pragma once

#include <libpq-fe.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "waybill/stores/postgres.hpp"
#include "waybill/testing/server.hpp"
#include "waybill/testing/store_conformance.hpp"

namespace waybill::postgres {

// A client that knows nothing of waybill.
class PlainClient {
 public:
  explicit PlainClient(const std::string& url) : connection_(PQconnectdb(url.c_str()), &PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
    query("SET client_min_messages = warning");
  }

  // The first column of every row of the last statement.
  std::vector<std::string> query(const std::string& sql) {
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(
        PQexec(connection_.get(), sql.c_str()), &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(PQresultErrorMessage(result.get()) + sql);
    }
    std::vector<std::string> first_column;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      first_column.emplace_back(PQgetvalue(result.get(), row, 0));
    }
    return first_column;
  }

  [[nodiscard]] PGconn* handle() { return connection_.get(); }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

inline const std::string& server_url() {
  static const std::string url = testing::Server::shared(WAYBILL_SERVERS_TOOLS, "postgres").url();
  return url;
}

class ScratchDatabase {
 public:
  ScratchDatabase() {
    static std::atomic<int> next{0};
    name_ = "waybill_" + std::to_string(::getpid()) + "_" + std::to_string(++next);
    PlainClient(server_url()).query("CREATE DATABASE " + name_);
  }
  ~ScratchDatabase() {
    try {
      PlainClient(server_url()).query("DROP DATABASE " + name_ + " WITH (FORCE)");
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  [[nodiscard]] std::string url() const {
    return server_url().substr(0, server_url().rfind('/') + 1) + name_;
  }

 private:
  std::string name_;
};

class PostgresFixture final : public waybill::testing::StoreFixture {
 public:
  PostgresFixture() {
    for (const SchemaPart part : {SchemaPart::producer, SchemaPart::consumer}) {
      const auto applied = apply_schema(options(), part);
      if (!applied) throw std::runtime_error(applied.error().to_string());
    }
  }

  [[nodiscard]] Options options() const {
    Options options;
    options.url = database_.url();
    return options;
  }

  std::unique_ptr<MessageStore> open_store() override {
    return opened(open_message_store(options()));
  }
  std::unique_ptr<InboxStore> open_inbox() override { return opened(open_inbox_store(options())); }
  void execute(const std::string& sql) override { client().query(sql); }
  std::vector<std::string> query(const std::string& sql) override { return client().query(sql); }
  void make_eight_column_table() override {
    execute(
        "DROP TABLE local_message; CREATE TABLE local_message (id bigserial PRIMARY KEY,"
        " gmt_create timestamptz DEFAULT now(), gmt_modified timestamptz DEFAULT now(),"
        " message_type varchar(128), biz_type varchar(64), identifier varchar(128), content text,"
        " state varchar(16))");
  }

 private:
  template <class T>
  static T opened(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    return std::move(*result);
  }
  PlainClient& client() {
    if (!client_) client_ = std::make_unique<PlainClient>(database_.url());
    return *client_;
  }

  ScratchDatabase database_;
  std::unique_ptr<PlainClient> client_;
};

}  // namespace waybill::postgres
