// Lets waybill join transactions of a `QSqlDatabase` that you opened. Header only; link your own Qt
// SQL, and the C library under its driver.
#pragma once

#include <QtCore/QVariant>
#include <QtSql/QSqlDatabase>
#include <QtSql/QSqlDriver>
#include <cstring>
#include <stdexcept>
#include <string>

#include "waybill/transaction.hpp"

// As in the C libraries' own headers.
struct sqlite3;
struct pg_conn;
struct st_mysql;

namespace waybill {

// What a driver of Qt calls the handle that it gives away, and the driver.
template <class Native>
struct QtHandleName;
template <>
struct QtHandleName<sqlite3*> {
  static constexpr const char* kHandle = "sqlite3*";
  static constexpr const char* kDriver = "QSQLITE";
};
template <>
struct QtHandleName<pg_conn*> {
  static constexpr const char* kHandle = "PGconn*";
  static constexpr const char* kDriver = "QPSQL";
};
template <>
struct QtHandleName<st_mysql*> {
  static constexpr const char* kHandle = "MYSQL*";
  static constexpr const char* kDriver = "QMYSQL";
};

// A database by the C handle that its driver gives away; that handle's adapter does the rest:
//
//   #include <waybill/adopt/postgres.hpp>
//   #include <waybill/adopt/qt.hpp>
//
//   QtDatabase<PGconn*> connection(database);
//   outbox.add(connection, message);
//
// Natives: sqlite3* (QSQLITE, when Qt uses the same SQLite as you), PGconn* (QPSQL), MYSQL*
// (QMYSQL, on MariaDB; run SET NAMES utf8mb4 after open(), since the driver's utf8 has three
// bytes).
// **Guarantee**: that of the handle's adapter. The handle is looked up at each call, so that a
// database that was opened anew is seen as such.
// **Ownership**: shares the connection, as copies of a QSqlDatabase do.
// **Errors**: std::invalid_argument for a database that is not open, or is another driver's.
// **Thread safety**: as the database's: the thread that opened it.
template <class Native_>
class QtDatabase {
 public:
  using Native = Native_;

  explicit QtDatabase(QSqlDatabase database) : database_(std::move(database)) {}

  [[nodiscard]] Native native() const {
    using Name = QtHandleName<Native>;
    const QVariant handle = database_.isOpen() ? database_.driver()->handle() : QVariant();
    if (!handle.isValid() || std::strcmp(handle.typeName(), Name::kHandle) != 0) {
      throw std::invalid_argument(std::string("the QSqlDatabase is not open by the driver ") +
                                  Name::kDriver);
    }
    return *static_cast<const Native*>(handle.constData());
  }

 private:
  QSqlDatabase database_;
};

}  // namespace waybill
