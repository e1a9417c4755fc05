// A business database for the tests: orders beside their messages, in a real SQLite file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "order_placed.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/outbox/outbox.hpp"
#include "waybill/testing/scratch_folder.hpp"

namespace waybill::testing {

struct CloseSqlite {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
using Sqlite = std::unique_ptr<sqlite3, CloseSqlite>;

// Throws SqliteError, as everything here.
[[nodiscard]] Sqlite open_sqlite(const std::string& path, int busy_milliseconds = 5000);
void run(sqlite3* database, const std::string& sql);
[[nodiscard]] std::int64_t number(sqlite3* database, const std::string& sql);
[[nodiscard]] std::string text(sqlite3* database, const std::string& sql);

enum class Columns { eight, nine };

// Tables orders(id) and local_message in a new file, WAL.
class ShopDatabase {
 public:
  explicit ShopDatabase(Columns columns = Columns::nine);

  [[nodiscard]] Sqlite open(int busy_milliseconds = 5000) const;
  [[nodiscard]] std::string path() const { return folder_.file("shop.db"); }
  // Read on a connection of their own, so that only committed rows count.
  [[nodiscard]] std::int64_t orders() const;
  [[nodiscard]] std::int64_t messages(const std::string& where = "1") const;

 private:
  ScratchFolder folder_;
};

void insert_order(sqlite3* database, const std::string& id);

// True as soon as `condition` is; false after 10 s.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

}  // namespace waybill::testing
