#include "consumer_database.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "inbox_row.hpp"

namespace waybill::inbox::testing {

namespace {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

[[noreturn]] void fail(sqlite3* database, std::string_view what) {
  throw std::runtime_error(std::string(what) + ": " + sqlite3_errmsg(database));
}

class TestInboxSession final : public InboxSession {
 public:
  TestInboxSession(Sqlite database, std::uint32_t& failures, AtBoundary& at_boundary)
      : database_(std::move(database)), failures_(failures), at_boundary_(at_boundary) {}

  Result<std::vector<PendingConfirmation>> pending(std::string_view, std::int64_t,
                                                   std::uint32_t) override {
    return Error{Remedy::fix_call, "not needed here", ""};
  }
  Status confirmed(std::string_view, std::span<const PendingConfirmation>) override {
    return Error{Remedy::fix_call, "not needed here", ""};
  }
  Result<std::uint32_t> begin_attempt(std::string_view, std::string_view) override {
    return Error{Remedy::fix_call, "not needed here", ""};
  }
  Result<std::vector<bool>> note_attempts(std::string_view,
                                          std::span<const std::string_view>) override {
    return Error{Remedy::fix_call, "not needed here", ""};
  }
  Status end_attempts(std::string_view, std::span<const std::string_view>) override {
    return Error{Remedy::fix_call, "not needed here", ""};
  }
  Result<std::vector<ParkedMessage>> parked(std::string_view, std::uint32_t) override {
    return Error{Remedy::fix_call, "not needed here", ""};
  }

  Status reopen(std::string_view consumer, std::string_view message_id, std::uint32_t epoch,
                DatabaseTime sent_at) override {
    at_boundary_(Boundary::before_reopen);
    const std::string sent = to_column(Dialect::sqlite, sent_at);
    const Value values[] = {consumer, message_id, static_cast<std::int64_t>(epoch),
                            std::string_view(sent)};
    const Status reopened =
        run("UPDATE waybill_inbox SET confirmed_at = NULL, epoch = max(epoch, ?3),"
            " sent_at = max(sent_at, ?4) WHERE consumer = ?1 AND message_id = ?2",
            values);
    at_boundary_(Boundary::after_reopen);
    return reopened;
  }

  Status park(std::string_view consumer, const ParkedMessage& message,
              DatabaseTime sent_at) override {
    const std::string sent = to_column(Dialect::sqlite, sent_at);
    const Value values[] = {consumer,
                            std::string_view(message.message_id),
                            std::string_view(message.message_type),
                            std::string_view(message.body),
                            std::string_view(message.reason),
                            static_cast<std::int64_t>(message.epoch),
                            static_cast<std::int64_t>(message.attempts),
                            std::string_view(sent)};
    execute(database_.get(), "BEGIN IMMEDIATE");
    Status parked = run(
        "INSERT INTO waybill_parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, datetime('now'))", values);
    if (parked) {
      parked = run(
          "INSERT INTO waybill_inbox VALUES (?1, ?2, ?6, datetime('now'), NULL, 'failed', ?5, ?8)"
          " ON CONFLICT DO UPDATE SET epoch = excluded.epoch, confirmed_at = NULL"
          " WHERE verdict = 'failed'",
          values);
    }
    execute(database_.get(), parked ? "COMMIT" : "ROLLBACK");
    return parked;
  }

 private:
  Status run(std::string_view sql, std::span<const Value> values) {
    if (failures_ > 0) {
      --failures_;
      return Error{Remedy::retry, "the test said so", ""};
    }
    (void)select(database_.get(), {sql, values});
    return {};
  }

  Sqlite database_;
  std::uint32_t& failures_;
  AtBoundary& at_boundary_;
};

}  // namespace

Sqlite open_sqlite(const std::string& path, int busy_milliseconds) {
  sqlite3* database = nullptr;
  const int opened = sqlite3_open(path.c_str(), &database);
  Sqlite owned(database);
  if (opened != SQLITE_OK) fail(database, "cannot open " + path);
  sqlite3_busy_timeout(database, busy_milliseconds);
  execute(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  return owned;
}

void create_tables(const std::string& path) {
  execute(open_sqlite(path).get(), R"(
    CREATE TABLE waybill_inbox(consumer TEXT NOT NULL, message_id TEXT NOT NULL,
      epoch INTEGER NOT NULL, gmt_create TEXT NOT NULL, confirmed_at TEXT,
      verdict TEXT NOT NULL DEFAULT 'done', reason TEXT, sent_at TEXT NOT NULL,
      PRIMARY KEY (consumer, message_id));
    CREATE TABLE waybill_parked(consumer TEXT NOT NULL, message_id TEXT NOT NULL,
      message_type TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
      epoch INTEGER NOT NULL, attempts INTEGER NOT NULL, gmt_create TEXT NOT NULL);
    CREATE TABLE effect(message_id TEXT NOT NULL);)");
}

void execute(sqlite3* database, const std::string& sql) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(database, sql);
  }
}

std::vector<TextRow> select(sqlite3* database, const Statement& statement) {
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(database, statement.sql.data(), static_cast<int>(statement.sql.size()),
                         &prepared, nullptr) != SQLITE_OK) {
    fail(database, statement.sql);
  }
  const std::unique_ptr<sqlite3_stmt, FinalizeStatement> owned(prepared);
  for (int i = 0; i < static_cast<int>(statement.values.size()); ++i) {
    const Value& value = statement.values[static_cast<std::size_t>(i)];
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      sqlite3_bind_int64(prepared, i + 1, *integer);
    } else if (const auto* string = std::get_if<std::string_view>(&value)) {
      sqlite3_bind_text(prepared, i + 1, string->data(), static_cast<int>(string->size()),
                        SQLITE_STATIC);
    }
  }
  std::vector<TextRow> rows;
  int stepped = SQLITE_ROW;
  while ((stepped = sqlite3_step(prepared)) == SQLITE_ROW) {
    TextRow row;
    for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
      const auto* column = reinterpret_cast<const char*>(sqlite3_column_text(prepared, i));
      row.emplace_back(column == nullptr ? "" : column);
    }
    rows.push_back(std::move(row));
  }
  if (stepped != SQLITE_DONE) fail(database, statement.sql);
  return rows;
}

std::string text(const std::string& path, const std::string& sql) {
  const auto rows = select(open_sqlite(path).get(), {sql, {}});
  return rows.empty() ? "" : rows.at(0).at(0);
}

std::int64_t number(const std::string& path, const std::string& sql) {
  return std::stoll(text(path, sql));
}

Result<std::unique_ptr<InboxSession>> TestInboxStore::open() {
  return std::unique_ptr<InboxSession>(
      std::make_unique<TestInboxSession>(open_sqlite(path_), failures, at_boundary_));
}

}  // namespace waybill::inbox::testing

namespace waybill {

using inbox::testing::Boundary;
using inbox::testing::execute;
using Adapter = transaction_adapter<inbox::testing::TestConnection>;

TransactionStatus Adapter::status(Connection& connection) {
  return sqlite3_get_autocommit(connection.database.get()) != 0 ? TransactionStatus::idle
                                                                : TransactionStatus::open;
}

Inserted Adapter::insert(Connection& connection, const Statement& statement) {
  (void)inbox::testing::select(connection.database.get(), statement);
  Inserted inserted;
  inserted.rows = static_cast<std::uint64_t>(sqlite3_changes64(connection.database.get()));
  connection.at_boundary(Boundary::after_inbox_row);
  return inserted;
}

std::vector<TextRow> Adapter::select(Connection& connection, const Statement& statement) {
  return inbox::testing::select(connection.database.get(), statement);
}

void Adapter::begin(Connection& connection) {
  connection.at_boundary(Boundary::before_begin);
  execute(connection.database.get(), "BEGIN IMMEDIATE");
  connection.at_boundary(Boundary::after_begin);
}

CommitAnswer Adapter::commit(Connection& connection) {
  connection.at_boundary(Boundary::before_commit);
  CommitAnswer answer = CommitAnswer::committed;
  if (!connection.commit_answers.empty()) {
    answer = connection.commit_answers.back();
    connection.commit_answers.pop_back();
  }
  execute(connection.database.get(), answer == CommitAnswer::rolled_back ? "ROLLBACK" : "COMMIT");
  connection.at_boundary(Boundary::after_commit);
  return answer;
}

void Adapter::rollback(Connection& connection) {
  execute(connection.database.get(), "ROLLBACK");
}

void Adapter::savepoint(Connection& connection, std::string_view name) {
  execute(connection.database.get(), "SAVEPOINT " + std::string(name));
}

void Adapter::rollback_to(Connection& connection, std::string_view name) {
  execute(connection.database.get(), "ROLLBACK TO " + std::string(name));
}

void Adapter::release(Connection& connection, std::string_view name) {
  execute(connection.database.get(), "RELEASE " + std::string(name));
}

}  // namespace waybill
