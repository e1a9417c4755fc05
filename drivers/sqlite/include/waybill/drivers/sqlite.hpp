// A thin layer over SQLite's C interface for the adapters that store in SQLite files.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "waybill/clock.hpp"
#include "waybill/failure.hpp"

namespace waybill::sqlite {

// Translates SQLite's result code; the only place that does. `at_commit`: an I/O error leaves the
// outcome open.
[[nodiscard]] Error translate(int code, std::string_view message, std::string_view what,
                              bool at_commit = false);

// Turns off SQLite's count of the memory that it uses: the count takes one lock of the process for
// every allocation, and connections on several threads wait for each other there. A setting of the
// whole process, so it is for programs, before anything else uses SQLite; later it does nothing.
void disable_memory_statistics() noexcept;

// A cached statement in use: bind in order, step, read columns. Resets itself at the end.
class Query {
 public:
  Query(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::int64_t value);
  Query& bind(std::string_view text);  // must live until the query ends
  Query& bind_blob(std::string_view bytes);
  Query& bind_null();
  // True while there is a row. Throws Failure.
  bool step();
  // Steps to the end and says how many rows changed.
  std::int64_t run();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  void check(int code) const;

  sqlite3* db_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

enum class OpenMode { existing, create };

// One connection with its cached statements: synchronous=FULL, the fair busy handler, extended
// error codes.
// **Errors**: throws Failure with a hint for what is wrong with the file.
// **Thread safety**: confined to one thread.
class Database {
 public:
  // With `create` the file is made if it is missing and set to WAL mode.
  Database(const std::string& path, OpenMode mode, Millis busy_timeout);

  // A statement, prepared once. `text` is called only then; the key is the address of a constant.
  template <class Text>
  [[nodiscard]] Query query(const char* key, const Text& text) {
    const auto cached = statements_.find(key);
    if (cached != statements_.end()) return {db_.get(), cached->second.get()};
    return {db_.get(), prepare(key, text())};
  }
  void execute(const std::string& sql);

  void begin() { execute("BEGIN IMMEDIATE"); }
  void commit();  // Failure with Remedy::look when the disk left the outcome open
  void roll_back() noexcept;
  // Calls `committed` after each commit to a file in WAL mode, when the write lock is free and the
  // log not yet copied back into the file.
  void after_commit(std::function<void()> committed);

 private:
  void switch_to_wal(Millis patience);
  [[nodiscard]] sqlite3_stmt* prepare(const char* key, const std::string& sql);

  std::unique_ptr<std::function<void()>> committed_;  // at an address that SQLite keeps
  using Finalizer = decltype(&sqlite3_finalize);
  std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> db_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalizer>> statements_;
};

// Runs `body` in one BEGIN IMMEDIATE transaction. Throws what it throws, after the rollback.
template <class Body>
auto in_transaction(Database& database, Body&& body) {
  database.begin();
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      database.commit();
    } else {
      auto result = body();
      database.commit();
      return result;
    }
  } catch (...) {
    database.roll_back();
    throw;
  }
}

}  // namespace waybill::sqlite
