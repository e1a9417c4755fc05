// The business database that the SQLite benchmarks write: orders, lines, stock, and the message
// table.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "waybill/testing/scratch_folder.hpp"

namespace waybill::bench {

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

// Below the working directory, which is to be on a real disk, not a RAM disk.
struct Scratch : testing::ScratchFolder {
  Scratch() : ScratchFolder(std::filesystem::current_path()) {}
};

// Opens with WAL and synchronous=FULL; throws std::runtime_error.
[[nodiscard]] Database open_database(const std::string& path);
void run(sqlite3* db, const char* sql);

// Creates orders, lines and stock and applies waybill's producer schema.
void create_shop(const std::string& path);

// A prepared statement. Text is bound without a copy: it must live until the next reset().
class Prepared {
 public:
  Prepared(sqlite3* db, const char* sql);
  Prepared& bind(int index, std::int64_t value);
  Prepared& bind(int index, const std::string& value);
  void execute();  // steps to the end and resets

 private:
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement_;
};

// The business part of one order: the order, three lines, one change of the stock.
class OrderWriter {
 public:
  explicit OrderWriter(sqlite3* db);
  void write(std::int64_t order_id);

 private:
  Prepared order_;
  Prepared line_;
  Prepared stock_;
};

}  // namespace waybill::bench
