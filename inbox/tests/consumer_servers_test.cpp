// The consumer on PostgreSQL and on MariaDB.
#include "consumer_store_suite.hpp"
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

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, InboxOnDatabase, PostgresPoints);
INSTANTIATE_TYPED_TEST_SUITE_P(Mariadb, InboxOnDatabase, MariadbPoints);

}  // namespace waybill::inbox::testing
