// MariaDB's side of store.hpp.
#include <mysql.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "servers.hpp"
#include "store.hpp"
#include "waybill/drivers/mariadb.hpp"
#include "waybill/stores/mariadb.hpp"

namespace waybill::bench {
namespace {

// A busy machine is no broken connection.
constexpr Millis kPatience{30'000};

// One connection without anything of waybill.
class MariadbClient {
 public:
  explicit MariadbClient(const std::string& url) : connection_(mysql_init(nullptr), &mysql_close) {
    const auto address = mariadb::parse_url(url);
    if (!address) throw std::runtime_error(address.error().to_string());
    mysql_optionsv(connection_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(connection_.get(), address->host.c_str(), address->user.c_str(), nullptr,
                           address->database.c_str(), address->port, nullptr, 0) == nullptr) {
      throw std::runtime_error(mysql_error(connection_.get()));
    }
    run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  }

  // Answers how many rows it affected.
  std::int64_t run(const std::string& sql) {
    if (mysql_real_query(connection_.get(), sql.data(), static_cast<unsigned long>(sql.size())) !=
        0) {
      throw std::runtime_error(std::string("MariaDB: ") + mysql_error(connection_.get()));
    }
    const auto affected = static_cast<std::int64_t>(mysql_affected_rows(connection_.get()));
    mysql_free_result(mysql_store_result(connection_.get()));  // some statements answer with rows
    return affected;
  }

 private:
  std::unique_ptr<MYSQL, decltype(&mysql_close)> connection_;
};

class MariadbBench final : public StoreBench {
 public:
  MariadbBench() {
    static int next = 0;
    const std::string server = server_url("mariadb");
    name_ = "bench_" + std::to_string(getpid()) + "_" + std::to_string(++next);
    MariadbClient(server).run("CREATE DATABASE " + name_ + " CHARACTER SET utf8mb4");
    url_ = server.substr(0, server.rfind('/') + 1) + name_;
    const auto applied = mariadb::apply_schema({.url = url_}, mariadb::SchemaPart::producer);
    if (!applied) throw std::runtime_error(applied.error().to_string());
    client_ = std::make_unique<MariadbClient>(url_);
  }

  ~MariadbBench() override {
    try {
      MariadbClient(server_url("mariadb")).run("DROP DATABASE " + name_);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }

  std::unique_ptr<MessageStore> open() override {
    auto store = mariadb::open_message_store({.url = url_, .answer_timeout = kPatience});
    if (!store) throw std::runtime_error(store.error().to_string());
    return std::move(*store);
  }

  void add(std::int64_t first, int count) override {
    client_->run(
        "INSERT INTO local_message(id, message_type, biz_type, identifier, content, state)"
        " SELECT seq, 'order.placed', 'order', CONCAT('A-', seq), REPEAT('x', 256), 'INIT' FROM " +
        sequence(first, first + count - 1));
  }

  BareMark bare_mark() override {
    const auto client = std::make_shared<MariadbClient>(url_);  // by the function's copies
    return [client](std::int64_t first, int rows, int batch) {
      for (std::int64_t id = first; id < first + rows; id += batch) {
        std::string sql =
            "UPDATE local_message FORCE INDEX (PRIMARY)"
            " SET state = 'SUCCESS', gmt_modified = utc_timestamp(6) WHERE id IN ";
        for (int i = 0; i < batch; ++i) sql += (i == 0 ? '(' : ',') + std::to_string(id + i);
        sql += ") AND state = 'INIT'";
        if (client->run(sql) != batch) throw std::runtime_error("a row was not marked");
      }
    };
  }

  void fill(const Kept& rows) override {
    client_->run("SET SESSION sql_log_bin = 0");  // what stands there was written long ago
    insert("SUCCESS", rows.done);
    insert("SENT", rows.sent);
    insert("RETRY", rows.retry);
    client_->run(
        "INSERT INTO local_message_delivery(id, message_type, next_attempt_at, sends, refusals)"
        " SELECT id, message_type, utc_timestamp(6) + INTERVAL 1 DAY, 1, 1"
        " FROM local_message WHERE state = 'RETRY'");
    insert("INIT", 100);
    client_->run("ANALYZE TABLE local_message, local_message_delivery");
  }

 private:
  static std::string sequence(std::int64_t first, std::int64_t last) {
    return "seq_" + std::to_string(first) + "_to_" + std::to_string(last);
  }

  void insert(const std::string& state, std::int64_t count) {
    client_->run(
        "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
        " SELECT 'order.placed', 'order', CONCAT('" +
        state + "-', seq), '{}', '" + state + "' FROM " + sequence(1, count));
  }

  std::string name_;
  std::string url_;
  std::unique_ptr<MariadbClient> client_;
};

}  // namespace

std::vector<Benchmark> mariadb_benchmarks() {
  return store_benchmarks("mariadb", [] { return std::make_unique<MariadbBench>(); });
}

}  // namespace waybill::bench
