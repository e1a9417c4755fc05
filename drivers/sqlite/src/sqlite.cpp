#include "waybill/drivers/sqlite.hpp"

#include <thread>

#include <filesystem>

#include "waybill/drivers/sqlite_busy_handler.hpp"

namespace waybill::sqlite {
namespace {

// As SQLite's own default: a log of so many pages is copied back into the file.
constexpr int kCheckpointPages = 1000;

std::string join(std::string_view what, std::string_view message) {
  return std::string(what) + ": " + std::string(message);
}

void check_path(const std::string& path, OpenMode mode) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::is_directory(status)) {
    throw Failure{{Remedy::fix_call, path + " is a directory", "name the database file"}};
  }
  if (mode == OpenMode::existing && status.type() == std::filesystem::file_type::not_found) {
    throw Failure{{Remedy::fix_call, "no database at " + path,
                   "create it with: waybill schema apply --store sqlite://" +
                       std::filesystem::absolute(path).string() +
                       " (a consumer's with --part consumer)"}};
  }
}

}  // namespace

Error translate(int code, std::string_view message, std::string_view what, bool at_commit) {
  const std::string text = join(what, message);
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Remedy::retry, text, "another process holds the database; try again"};
    case SQLITE_FULL:
      return {Remedy::retry, text, "free space on the disk, or raise max_page_count"};
    case SQLITE_IOERR:
      if (at_commit) return {Remedy::look, text, "the commit may or may not be on the disk"};
      return {Remedy::retry, text, "look at the disk and the system log"};
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
      return {Remedy::retry, text, {}};
    case SQLITE_READONLY:
      return {Remedy::fix_call, text, "give this user write access to the file and its folder"};
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Remedy::fix_call, text,
              "check that the file and its folder exist and can be read and written"};
    case SQLITE_NOTADB:
      return {Remedy::fix_call, text, "the file is no SQLite database"};
    case SQLITE_CORRUPT:
      return {Remedy::fix_call, text,
              "restore the database from a backup; PRAGMA integrity_check says more"};
    default:
      return {Remedy::fix_call, text, "waybill schema check says what is wrong with the tables"};
  }
}

void disable_memory_statistics() noexcept {
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::check(int code) const {
  if (code != SQLITE_OK && code != SQLITE_DONE) {
    throw Failure{translate(sqlite3_extended_errcode(db_), sqlite3_errmsg(db_), "database")};
  }
}

Query& Query::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Query& Query::bind(std::string_view text) {
  check(sqlite3_bind_text64(statement_, ++bound_, text.empty() ? "" : text.data(), text.size(),
                            SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Query& Query::bind_blob(std::string_view bytes) {
  check(sqlite3_bind_blob64(statement_, ++bound_, bytes.empty() ? "" : bytes.data(), bytes.size(),
                            SQLITE_STATIC));
  return *this;
}

Query& Query::bind_null() {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  check(code);
  return false;
}

std::int64_t Query::run() {
  const std::int64_t before = sqlite3_total_changes64(db_);
  while (step()) {
  }
  return sqlite3_total_changes64(db_) - before;
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Query::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Query::text(int column) const {
  // As a blob: a text that holds NUL is read to its end.
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

Database::Database(const std::string& path, OpenMode mode, Millis busy_timeout)
    : db_(nullptr, &sqlite3_close_v2) {
  check_path(path, mode);
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == OpenMode::create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  db_.reset(raw);
  if (code != SQLITE_OK) {
    throw Failure{translate(code, sqlite3_errstr(code), "cannot open " + path)};
  }
  install_busy_handler(raw, busy_timeout);
  // SQLite opens a file without write access read-only in silence.
  if (sqlite3_db_readonly(raw, "main") == 1) {
    throw Failure{translate(SQLITE_READONLY, "the file is read-only", "cannot open " + path)};
  }
  if (mode == OpenMode::create) switch_to_wal(busy_timeout);
  execute("PRAGMA synchronous = FULL");
}

// SQLite does not ask the busy handler here: while somebody else looks at the file it is busy.
void Database::switch_to_wal(Millis patience) {
  const Steady until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    try {
      return execute("PRAGMA journal_mode = WAL");
    } catch (const Failure& failure) {
      if (failure.error.remedy != Remedy::retry || std::chrono::steady_clock::now() > until) throw;
    }
    std::this_thread::sleep_for(Millis(5));
  }
}

sqlite3_stmt* Database::prepare(const char* key, const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql.c_str(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) {
    throw Failure{translate(code, sqlite3_errmsg(db_.get()), "cannot prepare a statement")};
  }
  statements_.emplace(key, std::unique_ptr<sqlite3_stmt, Finalizer>(raw, &sqlite3_finalize));
  return raw;
}

void Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw Failure{translate(code, sqlite3_errmsg(db_.get()), "database")};
}

void Database::commit() {
  const int code = sqlite3_exec(db_.get(), "COMMIT", nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw Failure{translate(code, sqlite3_errmsg(db_.get()), "COMMIT", true)};
}

void Database::roll_back() noexcept {
  if (sqlite3_get_autocommit(db_.get()) == 0) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Database::after_commit(std::function<void()> committed) {
  committed_ = std::make_unique<std::function<void()>>(std::move(committed));
  const auto hook = [](void* call, sqlite3* db, const char* name, int pages) {
    (*static_cast<const std::function<void()>*>(call))();
    if (pages < kCheckpointPages) return SQLITE_OK;
    // Without patience, and what is left is for the next: the commit stands either way.
    sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db_.get(), hook, committed_.get());
}

}  // namespace waybill::sqlite
