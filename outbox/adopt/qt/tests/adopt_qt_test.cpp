// The caller's own QSqlDatabase, on a SQLite file and against real servers.
#include "waybill/adopt/qt.hpp"

#include <gtest/gtest.h>

#include <QtCore/QCoreApplication>
#include <QtSql/QSqlError>
#include <QtSql/QSqlQuery>
#include <string>

#include "adopted_connection_suite.hpp"
#include "mariadb_shop.hpp"
#include "postgres_shop.hpp"
#include "sqlite_shop.hpp"
#include "waybill/adopt/mariadb.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/adopt/sqlite.hpp"

namespace waybill::testing {
namespace {

// Qt finds its drivers through the application.
void need_application() {
  static int argc = 1;
  static char name[] = "test";
  static char* argv[] = {name, nullptr};
  static const QCoreApplication application(argc, argv);
}

template <class Native>
class QtClient {
 public:
  explicit QtClient(const mariadb::Address& where) {
    need_application();
    static int next = 0;
    database_ = QSqlDatabase::addDatabase(QtHandleName<Native>::kDriver, QString::number(++next));
    database_.setHostName(where.host.c_str());
    database_.setPort(where.port);
    database_.setUserName(where.user.c_str());
    database_.setDatabaseName(where.database.c_str());
    if (!database_.open()) throw std::runtime_error(database_.lastError().text().toStdString());
    // The driver speaks a utf8 of three bytes unless it is told.
    if (std::is_same_v<Native, MYSQL*>) execute("SET NAMES utf8mb4");
  }
  ~QtClient() {
    database_.close();
    const QString name = database_.connectionName();
    handle_ = QtDatabase<Native>(QSqlDatabase());
    database_ = QSqlDatabase();
    QSqlDatabase::removeDatabase(name);
  }
  QtClient(const QtClient&) = delete;
  QtClient& operator=(const QtClient&) = delete;

  [[nodiscard]] QtDatabase<Native>& handle() {
    handle_ = QtDatabase<Native>(database_);
    return handle_;
  }
  [[nodiscard]] QSqlDatabase& database() { return database_; }
  void execute(const std::string& sql) {
    QSqlQuery query(database_);
    if (!query.exec(sql.c_str())) throw std::runtime_error(query.lastError().text().toStdString());
  }

 private:
  QSqlDatabase database_;
  QtDatabase<Native> handle_{QSqlDatabase()};
};

mariadb::Address address_of(const SqliteShop& shop) {
  mariadb::Address address;
  address.database = shop.path();
  return address;
}
mariadb::Address address_of(const MariadbShop& shop) {
  return shop.address();
}
// postgresql://user@host:port/database, as tools/servers names it.
mariadb::Address address_of(const PostgresShop& shop) {
  return mariadb::parse_url("mariadb" + shop.url().substr(shop.url().find(':'))).value();
}

template <class Shop>
class QtShop {
  Shop shop_;

 public:
  using Handle = QtDatabase<typename Shop::Handle>;
  [[nodiscard]] int count(const std::string& from) { return shop_.count(from); }

  QtClient<typename Shop::Handle> caller{address_of(shop_)};
  QtClient<typename Shop::Handle> other{address_of(shop_)};
};

template <class Shop>
class AdoptQt : public ::testing::Test {
 protected:
  QtShop<Shop> shop;
  const Outbox outbox;
};
using Shops = ::testing::Types<SqliteShop, PostgresShop, MariadbShop>;
TYPED_TEST_SUITE(AdoptQt, Shops);

TYPED_TEST(AdoptQt, T1_a_transaction_of_qts_own_takes_order_and_message_along) {
  for (const bool commits : {false, true}) {
    ASSERT_TRUE(this->shop.caller.database().transaction());
    QSqlQuery query(this->shop.caller.database());
    query.prepare("INSERT INTO orders VALUES (?)");
    query.addBindValue("A");
    ASSERT_TRUE(query.exec()) << query.lastError().text().toStdString();
    EXPECT_EQ(this->outbox.add(this->shop.caller.handle(), order_placed("A")).result,
              AddResult::added);
    ASSERT_TRUE(commits ? this->shop.caller.database().commit()
                        : this->shop.caller.database().rollback());
  }
  EXPECT_EQ(this->shop.count("orders"), 1);
  EXPECT_EQ(this->shop.count("local_message"), 1);
}

TYPED_TEST(AdoptQt, a_database_that_is_closed_is_refused) {
  this->shop.caller.database().close();
  EXPECT_THROW(static_cast<void>(this->outbox.add(this->shop.caller.handle(), order_placed("A"))),
               std::invalid_argument);
}

TEST(AdoptQtDriver, a_database_of_another_driver_is_refused) {
  QtShop<SqliteShop> shop;
  QtDatabase<PGconn*> wrong(shop.caller.database());
  EXPECT_THROW(static_cast<void>(Outbox().add(wrong, order_placed("A"))), std::invalid_argument);
}

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(QtOnMariadb, AdoptedConnection, QtShop<MariadbShop>);

}  // namespace waybill::testing
