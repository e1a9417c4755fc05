// A PostgreSQL database of its own for a test, on the server that ctest started.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../rules/tests/server_fixture.hpp"
#include "waybill/stores/postgres.hpp"

namespace waybill::postgres {

// A client that knows nothing of waybill.
class PlainClient {
 public:
  static constexpr const char* kServer = "postgres";
  static constexpr const char* kCreate = "";
  static constexpr const char* kDrop = "WITH (FORCE)";

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

struct ScratchDatabase : store::ServerDatabase<PlainClient, Options> {
  using ServerDatabase::ServerDatabase;
};

class PostgresFixture final : public store::Fixture<ScratchDatabase> {
 public:
  using Fixture::Fixture;
  void make_eight_column_table() override {
    execute(
        "DROP TABLE local_message; CREATE TABLE local_message (id bigserial PRIMARY KEY,"
        " gmt_create timestamptz DEFAULT now(), gmt_modified timestamptz DEFAULT now(),"
        " message_type varchar(128), biz_type varchar(64), identifier varchar(128), content text,"
        " state varchar(16))");
  }

  int waiting_statements() {
    return std::stoi(
        query("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
              " AND wait_event_type = 'Lock'")[0]);
  }
};

}  // namespace waybill::postgres
