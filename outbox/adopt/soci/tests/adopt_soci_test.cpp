// The caller's own soci::session, against real servers.
#include "waybill/adopt/soci.hpp"

#include <gtest/gtest.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/postgresql/soci-postgresql.h>

#include <string>

#include "adopted_connection_suite.hpp"
#include "mariadb_shop.hpp"
#include "postgres_shop.hpp"
#include "waybill/adopt/mariadb.hpp"
#include "waybill/adopt/postgres.hpp"

namespace waybill::testing {
namespace {

template <class Backend>
class SociClient {
 public:
  SociClient(const soci::backend_factory& factory, const std::string& where)
      : session_(factory, where) {}
  [[nodiscard]] SociSession<Backend>& handle() { return handle_; }
  [[nodiscard]] soci::session& session() { return session_; }
  void execute(const std::string& sql) { session_ << sql; }

 private:
  soci::session session_;
  SociSession<Backend> handle_{session_};
};

class SociPostgresShop {
  PostgresShop shop_;

  // postgresql://user@host:port/database, as tools/servers names it.
  [[nodiscard]] std::string where() const {
    const auto address =
        mariadb::parse_url("mariadb" + shop_.url().substr(shop_.url().find(':'))).value();
    return "host=" + address.host + " port=" + std::to_string(address.port) +
           " user=" + address.user + " dbname=" + address.database;
  }

 public:
  using Backend = soci::postgresql_session_backend;
  using Handle = SociSession<Backend>;
  [[nodiscard]] int count(const std::string& from) { return shop_.count(from); }

  SociClient<Backend> caller{soci::postgresql, where()};
  SociClient<Backend> other{soci::postgresql, where()};
};

class SociMariadbShop {
  MariadbShop shop_;

  [[nodiscard]] std::string where() const {
    const mariadb::Address address = shop_.address();
    return "host=" + address.host + " port=" + std::to_string(address.port) +
           " user=" + address.user + " db=" + address.database + " charset=utf8mb4";
  }

 public:
  using Backend = soci::mysql_session_backend;
  using Handle = SociSession<Backend>;
  [[nodiscard]] int count(const std::string& from) { return shop_.count(from); }

  SociClient<Backend> caller{soci::mysql, where()};
  SociClient<Backend> other{soci::mysql, where()};
};

TEST(AdoptSoci, T1_a_transaction_of_socis_own_takes_order_and_message_along) {
  SociPostgresShop shop;
  const Outbox outbox;
  for (const bool commits : {false, true}) {
    soci::transaction transaction(shop.caller.session());
    const std::string id = "A";
    shop.caller.session() << "INSERT INTO orders VALUES (:id)", soci::use(id);
    EXPECT_EQ(outbox.add(shop.caller.handle(), order_placed(id)).result, AddResult::added);
    if (commits) transaction.commit();
  }
  EXPECT_EQ(shop.count("orders"), 1);
  EXPECT_EQ(shop.count("local_message"), 1);
}

TEST(AdoptSoci, C1_the_native_handle_is_the_same_connection_as_the_session) {
  SociPostgresShop shop;
  const Outbox outbox;
  TransactionTemplate<SociPostgresShop::Handle> transactions(shop.caller.handle(), outbox);
  const auto outcome = transactions.execute([&](auto&) {
    shop.caller.execute("INSERT INTO orders VALUES ('A')");
    PGconn* native = shop.caller.handle().native();
    EXPECT_EQ(outbox.add(native, order_placed("A")).result, AddResult::added);
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
}

TEST(AdoptSoci, a_session_of_another_backend_or_not_connected_is_refused) {
  SociPostgresShop shop;
  const Outbox outbox;
  SociSession<soci::mysql_session_backend> wrong(shop.caller.session());
  EXPECT_THROW(static_cast<void>(outbox.add(wrong, order_placed("A"))), std::invalid_argument);
  soci::session closed;
  SociSession<soci::postgresql_session_backend> none(closed);
  EXPECT_THROW(static_cast<void>(outbox.add(none, order_placed("A"))), soci::soci_error);
}

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(SociOnMariadb, AdoptedConnection, SociMariadbShop);

}  // namespace waybill::testing
