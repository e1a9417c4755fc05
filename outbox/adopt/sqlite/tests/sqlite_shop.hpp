// A shop in a SQLite file of its own.
#pragma once

#include <string>

#include "shop_database.hpp"

namespace waybill::testing {

class SqliteClient {
 public:
  explicit SqliteClient(const ShopDatabase& shop) : owner_(shop.open()), handle_(owner_.get()) {}
  [[nodiscard]] sqlite3*& handle() { return handle_; }
  void execute(const std::string& sql) { run(handle_, sql); }

 private:
  Sqlite owner_;
  sqlite3* handle_;
};

class SqliteShop {
 public:
  using Handle = sqlite3*;

  [[nodiscard]] int count(const std::string& from) const {
    return static_cast<int>(number(database_.open().get(), "SELECT COUNT(*) FROM " + from));
  }
  [[nodiscard]] std::string path() const { return database_.path(); }

 private:
  const ShopDatabase database_;

 public:
  SqliteClient caller{database_};
  SqliteClient other{database_};
};

}  // namespace waybill::testing
