// A shop in a PostgreSQL database of its own, on the server that ctest started.
#pragma once

#include <string>

#include "postgres_fixture.hpp"

namespace waybill::testing {

class PostgresClient {
 public:
  explicit PostgresClient(const std::string& url) : client_(url), handle_(client_.handle()) {}
  [[nodiscard]] PGconn*& handle() { return handle_; }
  void execute(const std::string& sql) { client_.query(sql); }

 private:
  postgres::PlainClient client_;
  PGconn* handle_;
};

class PostgresShop {
 public:
  using Handle = PGconn*;

  PostgresShop() : caller(url()), other(url()) {
    database_.execute("CREATE TABLE orders (id text PRIMARY KEY)");
  }

  [[nodiscard]] int count(const std::string& from) {
    return std::stoi(database_.query("SELECT COUNT(*) FROM " + from).at(0));
  }
  [[nodiscard]] std::string url() const { return database_.options().url; }

 private:
  postgres::PostgresFixture database_;

 public:
  PostgresClient caller;
  PostgresClient other;
};

}  // namespace waybill::testing
