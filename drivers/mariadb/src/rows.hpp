// Between a prepared statement of libmariadb and Parameters and Rows.
#pragma once

#include <mysql.h>

#include <vector>

#include "waybill/drivers/mariadb.hpp"

namespace waybill::mariadb {

[[nodiscard]] DatabaseTime to_time(const MYSQL_TIME& time);
[[nodiscard]] MYSQL_TIME from_time(DatabaseTime time);

// Reads what a statement answered. **Errors**: false; the statement then knows its error.
class Fetch {
 public:
  explicit Fetch(MYSQL_STMT* statement) : statement_(statement) {}
  [[nodiscard]] bool run(Rows& rows);

 private:
  enum class Kind { number, time, text };
  struct Column {
    Kind kind = Kind::text;
    long long number = 0;
    MYSQL_TIME time{};
    std::vector<char> text;
    unsigned long size = 0;
    my_bool is_null = 0;
  };

  void bind(MYSQL_RES* metadata);
  void append(Rows& rows) const;

  MYSQL_STMT* statement_;
  std::vector<Column> columns_;
  std::vector<MYSQL_BIND> binds_;
};

}  // namespace waybill::mariadb
