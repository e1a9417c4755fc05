// MariaDB's side of business.hpp.
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "business.hpp"
#include "mariadb_shop.hpp"
#include "waybill/adopt/mariadb.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::bench {
namespace {

constexpr int kArticles = 1000;
constexpr int kLines = 3;

// A prepared statement whose parameters are texts.
class MariadbStatement {
 public:
  MariadbStatement(const MariadbClient& client, const std::string& sql)
      : statement_(mysql_stmt_init(client.handle()), &mysql_stmt_close) {
    check(mysql_stmt_prepare(statement_.get(), sql.data(), static_cast<unsigned long>(sql.size())));
  }

  void execute(const std::vector<std::string>& values) {
    std::vector<MYSQL_BIND> binds(values.size(), MYSQL_BIND{});
    for (std::size_t i = 0; i < values.size(); ++i) {
      binds[i].buffer_type = MYSQL_TYPE_STRING;
      binds[i].buffer = const_cast<char*>(values[i].data());
      binds[i].buffer_length = static_cast<unsigned long>(values[i].size());
    }
    check(mysql_stmt_bind_param(statement_.get(), binds.data()));
    check(mysql_stmt_execute(statement_.get()));
  }

 private:
  void check(int failed) const {
    if (failed != 0) throw std::runtime_error(mysql_stmt_error(statement_.get()));
  }

  std::unique_ptr<MYSQL_STMT, decltype(&mysql_stmt_close)> statement_;
};

// MariaDB has no pipeline: at once means several statements in one text.
class MariadbSeller final : public Seller {
 public:
  explicit MariadbSeller(const std::string& url) : client_(url) {}

  void ours(std::int64_t order) override {
    const auto placed = template_.execute([&](auto& tx) {
      write(order);
      tx.add(message_of(order));
    });
    if (!placed.committed()) throw std::runtime_error(placed.reason);
  }

  void adopted(std::int64_t order) override {
    in_transaction(order, [&] {
      const Ticket ticket = outbox_.add(handle_, message_of(order), kept_);
      if (ticket.result != AddResult::added) throw std::runtime_error(ticket.text);
    });
  }

  void hand_written(std::int64_t order) override {
    in_transaction(order, [&] {
      const Message message = message_of(order);
      by_hand_.execute({std::string(message.identifier), std::string(message.content.bytes())});
    });
  }

  void bare(std::int64_t order) override {
    in_transaction(order, [] {});
  }

  void ours_at_once(std::int64_t order) override {
    client_.run("START TRANSACTION;" + business(order) + literal(message_of(order)) + ";COMMIT");
  }

  void hand_written_at_once(std::int64_t order) override {
    const Message message = message_of(order);
    client_.run("START TRANSACTION;" + business(order) +
                "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
                " VALUES('order.placed', 'order', '" +
                std::string(message.identifier) + "', '" + std::string(message.content.bytes()) +
                "', 'INIT');COMMIT");
  }

  void bare_at_once(std::int64_t order) override {
    client_.run("START TRANSACTION;" + business(order) + "COMMIT");
  }

  // Of the binary log, and of InnoDB.
  double syncs() override {
    double sum = 0;
    for (const std::string& value : client_.values(
             "SHOW GLOBAL STATUS WHERE Variable_name IN ('Syncs', 'Innodb_data_fsyncs')")) {
      sum += std::stod(value);
    }
    return sum;
  }

 private:
  template <class Add>
  void in_transaction(std::int64_t order, const Add& add) {
    client_.run("START TRANSACTION");
    write(order);
    add();
    client_.run("COMMIT");
  }

  void write(std::int64_t order_id) {
    const std::string order = std::to_string(order_id);
    const std::string article = article_of(order_id);
    order_.execute({order, std::to_string(order_id % 100)});
    for (int line = 1; line <= kLines; ++line) {
      line_.execute({order, std::to_string(line), article, std::to_string(line)});
    }
    stock_.execute({article});
  }

  static std::string article_of(std::int64_t order) {
    return "bolt-" + std::to_string(order % kArticles);
  }

  static std::string business(std::int64_t order_id) {
    const std::string order = std::to_string(order_id);
    const std::string article = article_of(order_id);
    std::string sql =
        "INSERT INTO orders VALUES(" + order + "," + std::to_string(order_id % 100) + ",1999);";
    for (int line = 1; line <= kLines; ++line) {
      const std::string number = std::to_string(line);
      sql += "INSERT INTO `lines` VALUES(" + order + "," + number + ",'" + article + "'," + number +
             ");";
    }
    return sql + "UPDATE stock SET pieces = pieces - 6 WHERE article = '" + article + "';";
  }

  // The rendered INSERT with its parameters written into it; none of them needs an escape.
  [[nodiscard]] std::string literal(const Message& message) const {
    const Rendered rendered = outbox_.render(Dialect::mariadb, message);
    std::string sql;
    std::size_t next = 0;
    for (const char c : rendered.sql) {
      if (c != '?') {
        sql += c;
        continue;
      }
      const auto& parameter = rendered.parameters.at(next++);
      sql += parameter ? "'" + *parameter + "'" : "NULL";
    }
    return sql;
  }

  MariadbClient client_;
  MariadbStatement order_{client_, "INSERT INTO orders VALUES(?, ?, 1999)"};
  MariadbStatement line_{client_, "INSERT INTO `lines` VALUES(?, ?, ?, ?)"};
  MariadbStatement stock_{client_, "UPDATE stock SET pieces = pieces - 6 WHERE article = ?"};
  MariadbStatement by_hand_{
      client_,
      "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
      " VALUES('order.placed', 'order', ?, ?, 'INIT')"};
  Outbox outbox_;
  transaction_adapter<MYSQL*>::Kept kept_;
  MYSQL* handle_ = client_.handle();
  TransactionTemplate<MYSQL*> template_{handle_, outbox_};
};

class MariadbBusiness final : public BusinessBench {
 public:
  MariadbBusiness() {
    MariadbClient(database_.url())
        .run(
            "CREATE TABLE orders(order_id bigint PRIMARY KEY, user_id bigint, amount_cents bigint);"
            "CREATE TABLE `lines`(order_id bigint, line int, article varchar(64), pieces int,"
            "  PRIMARY KEY(order_id, line));"
            "CREATE TABLE stock(article varchar(64) PRIMARY KEY, pieces bigint);"
            "INSERT INTO stock SELECT CONCAT('bolt-', seq), 1000000000 FROM seq_0_to_" +
            std::to_string(kArticles - 1));
  }

  std::unique_ptr<Seller> seller() override {
    return std::make_unique<MariadbSeller>(database_.url());
  }

  // Of the binary log; the server is this run's alone.
  void slow_syncs() override { set_commit_wait(1000); }

  ~MariadbBusiness() override {
    try {
      set_commit_wait(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  MariadbBusiness(const MariadbBusiness&) = delete;
  MariadbBusiness& operator=(const MariadbBusiness&) = delete;

 private:
  void set_commit_wait(int microseconds) {
    const std::string usec = std::to_string(microseconds);
    MariadbClient(database_.url())
        .run("SET GLOBAL binlog_commit_wait_usec = " + usec +
             "; SET GLOBAL binlog_commit_wait_count = " + (microseconds > 0 ? "1000" : "0"));
  }

  MariadbDatabase database_;
};

}  // namespace

std::vector<Benchmark> mariadb_benchmarks() {
  return business_benchmarks("mariadb", [] { return std::make_unique<MariadbBusiness>(); });
}

}  // namespace waybill::bench
