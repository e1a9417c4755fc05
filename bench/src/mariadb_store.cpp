// MariaDB's side of store.hpp.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "mariadb_shop.hpp"
#include "store.hpp"
#include "waybill/stores/mariadb.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

// A busy machine is no broken connection.
constexpr Millis kPatience{30'000};
constexpr std::chrono::minutes kRest{5};
constexpr double kLeftMax = 10;  // the server itself goes on writing a page now and then

class MariadbBench final : public StoreBench {
 public:
  std::unique_ptr<MessageStore> open() override {
    return testing::must(
        mariadb::open_message_store({.url = database_.url(), .answer_timeout = kPatience}));
  }

  void add(std::int64_t first, int count) override {
    client_.run(
        "INSERT INTO local_message(id, message_type, biz_type, identifier, content, state)"
        " SELECT seq, 'order.placed', 'order', CONCAT('A-', seq), REPEAT('x', 256), 'INIT' FROM " +
        sequence(first, first + count - 1));
  }

  BareMark bare_mark() override {
    const auto client =
        std::make_shared<MariadbClient>(database_.url());  // by the function's copies
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
    client_.run("SET SESSION sql_log_bin = 0");  // what stands there was written long ago
    insert("SUCCESS", rows.done);
    insert("SENT", rows.sent);
    insert("RETRY", rows.retry);
    client_.run(
        "INSERT INTO local_message_delivery(id, message_type, next_attempt_at, sends, refusals)"
        " SELECT id, message_type, utc_timestamp(6) + INTERVAL 1 DAY, 1, 1"
        " FROM local_message WHERE state = 'RETRY'");
    insert("INIT", 100);
    client_.run("ANALYZE TABLE local_message, local_message_delivery");
    wait_for_rest();
  }

 private:
  // What is left to purge and to write would run beside the scans, and longest for the larger
  // table.
  void wait_for_rest() {
    client_.run("SET GLOBAL innodb_max_dirty_pages_pct = 0");
    const auto deadline = std::chrono::steady_clock::now() + kRest;
    while (left_to_do() > kLeftMax) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error("InnoDB did not come to rest in time");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    client_.run("SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT");
  }

  // Transactions to purge and pages to write.
  [[nodiscard]] double left_to_do() {
    double left = 0;
    for (const std::string& value :
         client_.values("SHOW GLOBAL STATUS WHERE Variable_name IN"
                        " ('Innodb_history_list_length', 'Innodb_buffer_pool_pages_dirty')")) {
      left += std::stod(value);
    }
    return left;
  }

  static std::string sequence(std::int64_t first, std::int64_t last) {
    return "seq_" + std::to_string(first) + "_to_" + std::to_string(last);
  }

  void insert(const std::string& state, std::int64_t count) {
    client_.run(
        "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
        " SELECT 'order.placed', 'order', CONCAT('" +
        state + "-', seq), '{}', '" + state + "' FROM " + sequence(1, count));
  }

  MariadbDatabase database_;
  MariadbClient client_{database_.url()};
};

}  // namespace

std::vector<Benchmark> mariadb_store_benchmarks() {
  return store_benchmarks("mariadb", [] { return std::make_unique<MariadbBench>(); });
}

}  // namespace waybill::bench
