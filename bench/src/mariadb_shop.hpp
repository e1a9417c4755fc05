// A bare libmariadb client, and a database of its own for the MariaDB benchmarks.
#pragma once

#include <mysql.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace waybill::bench {

// One connection without anything of waybill. Throws std::runtime_error with the server's words.
class MariadbClient {
 public:
  explicit MariadbClient(const std::string& url);

  [[nodiscard]] MYSQL* handle() const { return connection_.get(); }
  // One statement, or several in one round trip. Answers how many rows the last one affected.
  std::int64_t run(const std::string& sql);
  // The second column of a statement's rows.
  [[nodiscard]] std::vector<std::string> values(const std::string& sql);

 private:
  std::unique_ptr<MYSQL, decltype(&mysql_close)> connection_;
};

// With waybill's tables of the producer; dropped at the end.
class MariadbDatabase {
 public:
  MariadbDatabase();
  ~MariadbDatabase();
  MariadbDatabase(const MariadbDatabase&) = delete;
  MariadbDatabase& operator=(const MariadbDatabase&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  std::string name_;
  std::string url_;
};

}  // namespace waybill::bench
