// A consumer's SQLite database for the tests: inbox tables, one table of effects, and a connection
// that can be killed or made to fail at each boundary of a transaction.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/inbox_store.hpp"
#include "waybill/testing/scratch_folder.hpp"
#include "waybill/transaction.hpp"

namespace waybill::inbox::testing {

using waybill::testing::ScratchFolder;

struct CloseSqlite {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
using Sqlite = std::unique_ptr<sqlite3, CloseSqlite>;

// Throws std::runtime_error, as everything here.
[[nodiscard]] Sqlite open_sqlite(const std::string& path, int busy_milliseconds = 5000);
void create_tables(const std::string& path);
void execute(sqlite3* database, const std::string& sql);
[[nodiscard]] std::vector<TextRow> select(sqlite3* database, const Statement& statement);
[[nodiscard]] std::int64_t number(const std::string& path, const std::string& sql);
[[nodiscard]] std::string text(const std::string& path, const std::string& sql);

// Where a transaction or a settlement stands.
enum class Boundary {
  before_begin,
  after_begin,
  after_inbox_row,
  in_handler,
  before_commit,
  after_commit,
  before_settle,
  after_settle,
  before_reopen,
  after_reopen,
};
inline constexpr int kBoundaries = 10;

// Called at each boundary; may kill the process or throw.
using AtBoundary = std::function<void(Boundary)>;

struct TestConnection {
  Sqlite database;
  AtBoundary at_boundary = [](Boundary) {};
  std::vector<CommitAnswer> commit_answers = {};  // taken from the back; empty = the real answer
};

// Speaks to the tables by plain SQL.
class TestInboxStore final : public InboxStore {
 public:
  explicit TestInboxStore(
      std::string path, AtBoundary at_boundary = [](Boundary) {})
      : path_(std::move(path)), at_boundary_(std::move(at_boundary)) {}
  [[nodiscard]] Result<std::unique_ptr<InboxSession>> open() override;

  std::uint32_t failures = 0;  // so many of the next calls answer an error instead

 private:
  std::string path_;
  AtBoundary at_boundary_;
};

}  // namespace waybill::inbox::testing

template <>
struct waybill::transaction_adapter<waybill::inbox::testing::TestConnection> {
  using Connection = waybill::inbox::testing::TestConnection;
  static Dialect dialect(Connection&) { return Dialect::sqlite; }
  static TransactionStatus status(Connection& connection);
  static Inserted insert(Connection& connection, const Statement& statement);
  static std::vector<TextRow> select(Connection& connection, const Statement& statement);
  static void begin(Connection& connection);
  static CommitAnswer commit(Connection& connection);
  static void rollback(Connection& connection);
  static void savepoint(Connection& connection, std::string_view name);
  static void rollback_to(Connection& connection, std::string_view name);
  static void release(Connection& connection, std::string_view name);
};
