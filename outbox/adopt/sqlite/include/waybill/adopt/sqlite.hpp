// Lets waybill join transactions of a `sqlite3*` that you opened. Header only; link your own
// SQLite.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/transaction.hpp"

namespace waybill {

// SQLite's own error, with its extended result code.
class SqliteError : public std::runtime_error {
 public:
  SqliteError(sqlite3* db, std::string_view what)
      : std::runtime_error(std::string(what) + ": " + sqlite3_errmsg(db) +
                           (std::string_view(sqlite3_errmsg(db)).starts_with("no such table")
                                ? " (run: waybill schema apply)"
                                : "")),
        code_(sqlite3_extended_errcode(db)) {}

  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

// **Guarantee**: status() is what SQLite itself says (sqlite3_get_autocommit), so that a
// transaction which SQLite ended after an error (full disk, I/O error) is noticed. begin() is BEGIN
// IMMEDIATE: a deferred one could not wait for its turn when it first writes.
// **Errors**: SqliteError; std::invalid_argument for a null handle. commit() answers `unknown` when
// an I/O error or lack of memory left open whether the commit record reached the disk.
// **Thread safety**: as the handle's.
template <>
struct transaction_adapter<sqlite3*> {
  // A prepared INSERT; finalized with it, so it must go before the connection is closed.
  struct Kept {
    std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement{nullptr,
                                                                         &sqlite3_finalize};
    sqlite3* database = nullptr;
    std::string sql;
  };

  static Dialect dialect(sqlite3*) noexcept { return Dialect::sqlite; }

  static TransactionStatus status(sqlite3* db) {
    return sqlite3_get_autocommit(checked(db)) == 0 ? TransactionStatus::open
                                                    : TransactionStatus::idle;
  }

  static Inserted insert(sqlite3* db, const Statement& statement) {
    const auto prepared = prepare(db, statement);
    step_to_end(db, prepared.get(), nullptr);
    Inserted inserted;
    inserted.rows = static_cast<std::uint64_t>(sqlite3_changes(db));
    inserted.id = sqlite3_last_insert_rowid(db);
    return inserted;
  }

  static Inserted insert(sqlite3* db, const Statement& statement, Kept& kept) {
    if (kept.database != db || kept.sql != statement.sql) {
      kept.statement = prepare(db, statement.sql, SQLITE_PREPARE_PERSISTENT);
      kept.database = db;
      kept.sql = statement.sql;
    }
    // The values live during this call only, and an open statement would hold the transaction.
    struct Reset {
      ~Reset() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
      }
      sqlite3_stmt* statement;
    } const reset{kept.statement.get()};
    bind_all(db, kept.statement.get(), statement.values);
    step_to_end(db, kept.statement.get(), nullptr);
    return {static_cast<std::uint64_t>(sqlite3_changes(db)), sqlite3_last_insert_rowid(db), 0};
  }

  static std::vector<TextRow> select(sqlite3* db, const Statement& statement) {
    const auto prepared = prepare(db, statement);
    std::vector<TextRow> rows;
    step_to_end(db, prepared.get(), &rows);
    return rows;
  }

  static void begin(sqlite3* db) { run(db, "BEGIN IMMEDIATE"); }

  // A COMMIT that finds the database busy waits as the connection's busy handler says; when that
  // gives up, the transaction is still open and the error says so.
  static CommitAnswer commit(sqlite3* db) {
    if (status(db) != TransactionStatus::open) return CommitAnswer::rolled_back;
    const int code = sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return CommitAnswer::committed;
    const int kind = code & 0xFF;
    if (kind != SQLITE_IOERR && kind != SQLITE_NOMEM) throw SqliteError(db, "COMMIT");
    // The commit record may be on the disk. What ROLLBACK answers cannot settle that.
    sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    return CommitAnswer::unknown;
  }

  static void rollback(sqlite3* db) {
    if (status(db) == TransactionStatus::open) run(db, "ROLLBACK");
  }

  static void savepoint(sqlite3* db, std::string_view name) {
    run(db, "SAVEPOINT " + std::string(name));
  }
  static void rollback_to(sqlite3* db, std::string_view name) {
    run(db, "ROLLBACK TO " + std::string(name));
  }
  static void release(sqlite3* db, std::string_view name) {
    run(db, "RELEASE " + std::string(name));
  }

 private:
  using Prepared = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

  static sqlite3* checked(sqlite3* db) {
    if (db == nullptr) throw std::invalid_argument("the sqlite3* handle is null (open it first)");
    return db;
  }

  static void run(sqlite3* db, const std::string& sql) {
    if (sqlite3_exec(checked(db), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw SqliteError(db, sql);
    }
  }

  static Prepared prepare(sqlite3* db, std::string_view sql, unsigned flags) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(checked(db), sql.data(), static_cast<int>(sql.size()),
                                        flags, &raw, nullptr);
    Prepared prepared(raw, &sqlite3_finalize);
    if (code != SQLITE_OK) throw SqliteError(db, "cannot prepare a statement of the outbox");
    return prepared;
  }

  static Prepared prepare(sqlite3* db, const Statement& statement) {
    Prepared prepared = prepare(db, statement.sql, 0);
    bind_all(db, prepared.get(), statement.values);
    return prepared;
  }

  static void bind_all(sqlite3* db, sqlite3_stmt* statement, std::span<const Value> values) {
    int index = 0;
    for (const Value& value : values) bind(db, statement, ++index, value);
  }

  static void bind(sqlite3* db, sqlite3_stmt* statement, int index, const Value& value) {
    int code = SQLITE_OK;
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      // SQLite binds NULL for a null pointer, also of length 0: an empty text must not become NULL.
      code = sqlite3_bind_text64(statement, index, text->empty() ? "" : text->data(), text->size(),
                                 SQLITE_STATIC, SQLITE_UTF8);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, index, *number);
    } else {
      code = sqlite3_bind_null(statement, index);
    }
    if (code != SQLITE_OK) throw SqliteError(db, "cannot bind a parameter");
  }

  static void step_to_end(sqlite3* db, sqlite3_stmt* statement, std::vector<TextRow>* rows) {
    int code = sqlite3_step(statement);
    for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
      if (rows == nullptr) continue;
      TextRow row;
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        row.emplace_back(text == nullptr ? "" : text,
                         static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      }
      rows->push_back(std::move(row));
    }
    if (code != SQLITE_DONE) throw SqliteError(db, "a statement of the outbox failed");
  }
};

}  // namespace waybill
