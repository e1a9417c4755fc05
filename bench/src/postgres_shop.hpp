// The business database that the PostgreSQL benchmarks write, and a bare libpq client for it.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace waybill::bench {

// One connection without anything of waybill. Throws std::runtime_error with the server's words.
class PostgresClient {
 public:
  explicit PostgresClient(const std::string& url);

  [[nodiscard]] PGconn* handle() const { return connection_.get(); }
  // Any statements; answers the first column of the last one's rows.
  std::vector<std::string> run(const std::string& sql);
  void prepare(const char* name, const std::string& sql);
  // Answers how many rows it affected.
  std::int64_t execute(const char* name, std::initializer_list<const char*> values);
  // In pipeline mode: sends, and reads what came back up to the next sync.
  void send(const char* name, std::initializer_list<const char*> values);
  void finish(int statements);

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

// An empty database of its own; dropped at the end.
class PostgresDatabase {
 public:
  PostgresDatabase();
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  std::string name_;
  std::string url_;
};

// With orders, lines, stock and waybill's tables.
class PostgresShop {
 public:
  static constexpr int kArticles = 1000;

  PostgresShop();
  [[nodiscard]] const std::string& url() const { return database_.url(); }

 private:
  PostgresDatabase database_;
};

// Prepares and writes the business part of an order: the order, three lines, one change of stock.
class PostgresOrders {
 public:
  explicit PostgresOrders(PostgresClient& client);
  void write(std::int64_t order_id);
  // In pipeline mode; five statements.
  void send(std::int64_t order_id);
  static constexpr int kStatements = 5;

 private:
  template <class Each>
  static void each(std::int64_t order_id, const Each& each);

  PostgresClient& client_;
};

}  // namespace waybill::bench
