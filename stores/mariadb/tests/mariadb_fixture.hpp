// A MariaDB database of its own for a test, on the server that ctest started.
#pragma once

#include <mysql.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "waybill/drivers/mariadb.hpp"
#include "waybill/stores/mariadb.hpp"
#include "waybill/testing/server.hpp"
#include "waybill/testing/store_conformance.hpp"

namespace waybill::mariadb {

// A client that knows nothing of waybill, with the server's own session settings.
class PlainClient {
 public:
  explicit PlainClient(const std::string& url) : connection_(mysql_init(nullptr), &mysql_close) {
    const auto address = parse_url(url);
    if (!address) throw std::runtime_error(address.error().to_string());
    MYSQL* connection = connection_.get();
    mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const char* password = address->password ? address->password->c_str() : nullptr;
    if (mysql_real_connect(connection, address->host.c_str(), address->user.c_str(), password,
                           address->database.c_str(), address->port, nullptr,
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

inline const std::string& server_url() {
  static const std::string url = testing::Server::shared(WAYBILL_SERVERS_TOOLS, "mariadb").url();
  return url;
}

class ScratchDatabase {
 public:
  explicit ScratchDatabase(const std::string& options = "CHARACTER SET utf8mb4") {
    static std::atomic<int> next{0};
    name_ = "waybill_" + std::to_string(::getpid()) + "_" + std::to_string(++next);
    PlainClient(server_url()).query("CREATE DATABASE " + name_ + " " + options);
  }
  ~ScratchDatabase() {
    try {
      PlainClient(server_url()).query("DROP DATABASE " + name_);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string url() const {
    return server_url().substr(0, server_url().rfind('/') + 1) + name_;
  }

 private:
  std::string name_;
};

class MariadbFixture final : public waybill::testing::StoreFixture {
 public:
  MariadbFixture() {
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
        "DROP TABLE local_message; CREATE TABLE local_message (id bigint AUTO_INCREMENT PRIMARY "
        "KEY, gmt_create datetime, gmt_modified datetime, message_type varchar(128),"
        " biz_type varchar(64), identifier varchar(128), content text, state varchar(16))"
        " COLLATE utf8mb4_bin");
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

}  // namespace waybill::mariadb
