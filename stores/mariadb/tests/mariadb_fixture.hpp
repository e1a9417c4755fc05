// A MariaDB database of its own for a test, on the server that ctest started.
#pragma once

#include <mysql.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../../rules/tests/server_fixture.hpp"
#include "waybill/drivers/mariadb.hpp"
#include "waybill/stores/mariadb.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::mariadb {

// A client that knows nothing of waybill, with the server's own session settings.
class PlainClient {
 public:
  static constexpr const char* kServer = "mariadb";
  static constexpr const char* kCreate = "CHARACTER SET utf8mb4";
  static constexpr const char* kDrop = "";

  explicit PlainClient(const std::string& url) : connection_(mysql_init(nullptr), &mysql_close) {
    const Address address = testing::must(parse_url(url));
    MYSQL* connection = connection_.get();
    mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const char* password = address.password ? address.password->c_str() : nullptr;
    if (mysql_real_connect(connection, address.host.c_str(), address.user.c_str(), password,
                           address.database.c_str(), address.port, nullptr,
                           CLIENT_MULTI_STATEMENTS) == nullptr) {
      throw std::runtime_error(mysql_error(connection));
    }
  }

  // The first column of every row of the last statement.
  std::vector<std::string> query(const std::string& sql) {
    MYSQL* connection = connection_.get();
    int more = mysql_real_query(connection, sql.data(), static_cast<unsigned long>(sql.size()));
    std::vector<std::string> first_column;
    while (more == 0) {
      first_column.clear();
      const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> result(mysql_store_result(connection),
                                                                    &mysql_free_result);
      while (MYSQL_ROW row = result ? mysql_fetch_row(result.get()) : nullptr) {
        const unsigned long* sizes = mysql_fetch_lengths(result.get());
        first_column.emplace_back(row[0] == nullptr ? "" : std::string(row[0], sizes[0]));
      }
      more = mysql_next_result(connection);
    }
    if (more > 0) throw std::runtime_error(std::string(mysql_error(connection)) + ": " + sql);
    return first_column;
  }

  [[nodiscard]] MYSQL* handle() { return connection_.get(); }

 private:
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> connection_;
};

struct ScratchDatabase : store::ServerDatabase<PlainClient, Options> {
  using ServerDatabase::ServerDatabase;
};

class MariadbFixture final : public store::Fixture<ScratchDatabase> {
 public:
  using Fixture::Fixture;
  void make_eight_column_table() override {
    execute(
        "DROP TABLE local_message; CREATE TABLE local_message (id bigint AUTO_INCREMENT PRIMARY "
        "KEY, gmt_create datetime, gmt_modified datetime, message_type varchar(128),"
        " biz_type varchar(64), identifier varchar(128), content text, state varchar(16))"
        " COLLATE utf8mb4_bin");
  }

  // The server brings this table up to date only when nobody has looked for 100 ms.
  int waiting_statements() {
    std::this_thread::sleep_for(Millis(120));
    return std::stoi(
        query("SELECT COUNT(*) FROM information_schema.INNODB_TRX JOIN"
              " information_schema.PROCESSLIST ON ID = trx_mysql_thread_id"
              " WHERE DB = DATABASE() AND trx_state = 'LOCK WAIT'")[0]);
  }
};

}  // namespace waybill::mariadb
