// The consumer on PostgreSQL and on MariaDB.
#include <utility>

#include "consumer_store_suite.hpp"
#include "inbox_row.hpp"
#include "mariadb_shop.hpp"
#include "postgres_shop.hpp"
#include "waybill/adopt/mariadb.hpp"
#include "waybill/adopt/postgres.hpp"

namespace waybill::inbox::testing {
namespace {

class PostgresPoints {
 public:
  using Connection = waybill::testing::PostgresClient;

  PostgresPoints() {
    database_.execute("CREATE TABLE effect(message_id varchar(768) COLLATE \"C\" NOT NULL)");
  }
  [[nodiscard]] Connection connect() const { return Connection(database_.options().url); }
  [[nodiscard]] std::unique_ptr<InboxStore> open_store() { return database_.open_inbox(); }
  [[nodiscard]] std::int64_t number(const std::string& sql) {
    return std::stoll(database_.query(sql).at(0));
  }

 private:
  postgres::PostgresFixture database_;
};

class MariadbPoints {
 public:
  using Connection = waybill::testing::MariadbClient;

  MariadbPoints() { database_.execute("CREATE TABLE effect(message_id varbinary(768) NOT NULL)"); }
  [[nodiscard]] Connection connect() const {
    return Connection(mariadb::parse_url(database_.options().url).value());
  }
  [[nodiscard]] std::unique_ptr<InboxStore> open_store() { return database_.open_inbox(); }
  [[nodiscard]] std::int64_t number(const std::string& sql) {
    return std::stoll(database_.query(sql).at(0));
  }

 private:
  mariadb::MariadbFixture database_;
};

}  // namespace

// MariaDB commits at a DDL statement; what the batch still had to do must not count as done.
TEST(InboxOnMariadb, T9_I1_what_ends_the_transaction_of_a_batch_lets_no_inbox_row_stand_alone) {
  MariadbPoints points;
  std::vector<Delivery> deliveries(2);
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    deliveries[i].token = i;
    deliveries[i].message_id = "order/order.placed/" + std::to_string(i);
    deliveries[i].message_type = "order.placed";
  }
  Acks acks(deliveries.size());
  FakeSubscriber subscriber(deliveries, acks);
  ConsumerOptions options;
  options.consumer = "points";
  options.later_wait = Millis(1);
  options.batch_in_one_transaction = true;
  MariadbPoints::Connection connection = points.connect();
  MYSQL* handle = connection.handle();
  const auto store = points.open_store();
  bool has_failed = false;
  Consumer<MYSQL*> consumer(
      handle, *store, subscriber, options, [&](MYSQL*& database, const Delivery& arrived) {
        if (arrived.message_id == deliveries[0].message_id) {
          connection.execute("CREATE TABLE IF NOT EXISTS ends_the_transaction(id int)");
        } else if (!std::exchange(has_failed, true)) {
          throw std::runtime_error("not yet");
        }
        const Value values[] = {std::string_view(arrived.message_id)};
        (void)transaction_adapter<MYSQL*>::insert(database,
                                                  {"INSERT INTO effect VALUES (?)", values});
        return HandlerResult::done();
      });
  const auto deadline = steady_clock::now() + kPatience;
  while (!acks.all() && steady_clock::now() < deadline) must(consumer.run_once({}, Millis(0)));
  EXPECT_EQ(points.number("SELECT count(*) FROM effect"), 2);
  EXPECT_EQ(points.number("SELECT count(DISTINCT message_id) FROM effect"), 2);
}

// The client does not notice that a deadlock ended the transaction; the INSERT does.
TEST(InboxOnMariadb, T9_an_inbox_row_outside_a_transaction_is_refused) {
  using Adapter = transaction_adapter<MYSQL*>;
  MariadbPoints points;
  MariadbPoints::Connection connection = points.connect();
  connection.execute("SET SESSION sql_mode = ''");
  Delivery delivery;
  delivery.message_id = "order/order.placed/1";
  const InboxRow row(Dialect::mariadb, "points", delivery);
  EXPECT_THROW((void)Adapter::insert(connection.handle(), row.statement()), InsertRefused);
  EXPECT_EQ(points.number("SELECT count(*) FROM waybill_inbox"), 0);
  Adapter::begin(connection.handle());
  EXPECT_NE(Adapter::insert(connection.handle(), row.statement()).id, 0);
  EXPECT_EQ(Adapter::insert(connection.handle(), row.statement()).id, 0) << "a duplicate";
  EXPECT_EQ(Adapter::commit(connection.handle()), CommitAnswer::committed);
}

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, InboxOnDatabase, PostgresPoints);
INSTANTIATE_TYPED_TEST_SUITE_P(Mariadb, InboxOnDatabase, MariadbPoints);

}  // namespace waybill::inbox::testing
