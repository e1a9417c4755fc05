#include "log_file.hpp"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>

namespace waybill::embedded {
namespace {

constexpr std::int64_t kApplicationId = 0x57424C47;  // "WBLG"
constexpr std::int64_t kVersion = 1;

constexpr const char* kSchema = R"sql(
CREATE TABLE topic (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  partitions INTEGER NOT NULL
);
CREATE TABLE log (
  position     INTEGER PRIMARY KEY AUTOINCREMENT,
  topic        INTEGER NOT NULL,
  partition    INTEGER NOT NULL,
  message_id   TEXT NOT NULL,
  message_type TEXT NOT NULL,
  key          TEXT NOT NULL,
  body         BLOB NOT NULL,
  traceparent  TEXT NOT NULL,
  epoch        INTEGER NOT NULL,
  sent_at      INTEGER NOT NULL,
  published_at INTEGER NOT NULL
);
CREATE INDEX log_partition ON log (topic, partition, position);
CREATE TABLE member (
  grp     TEXT NOT NULL,
  topic   INTEGER NOT NULL,
  name    TEXT NOT NULL,
  joined  INTEGER NOT NULL,
  counter INTEGER NOT NULL,
  PRIMARY KEY (grp, topic, name)
) WITHOUT ROWID;
CREATE TABLE cursor (
  grp       TEXT NOT NULL,
  topic     INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  cursor    INTEGER NOT NULL,
  fence     INTEGER NOT NULL,
  counter   INTEGER NOT NULL,
  holder    TEXT NOT NULL,
  PRIMARY KEY (grp, topic, partition)
) WITHOUT ROWID;
)sql";

constexpr auto kCreateRetryWait = Millis(3);
constexpr std::size_t kBodyBytesMaxMax = std::size_t{256} << 20;

std::int64_t number(sqlite::Database& database, const char* sql) {
  Query query = database.query(sql, [&] { return std::string(sql); });
  query.step();
  return query.number(0);
}

bool is_empty(sqlite::Database& database) {
  return number(database, "SELECT COUNT(*) FROM sqlite_schema") == 0;
}

void check_identity(sqlite::Database& database, const std::string& path) {
  if (number(database, "PRAGMA application_id") != kApplicationId) {
    throw Failure{{Remedy::fix_call, path + " is a database, but no waybill queue",
                   "name another file for the queue"}};
  }
  const std::int64_t version = number(database, "PRAGMA user_version");
  if (version != kVersion) {
    throw Failure{{Remedy::fix_call,
                   path + " has queue version " + std::to_string(version) +
                       ", this program knows " + std::to_string(kVersion),
                   "use the waybill that made it, or a new file"}};
  }
}

void create_schema(sqlite::Database& database) {
  database.execute("PRAGMA journal_mode = WAL");
  sqlite::in_transaction(database, [&] {
    // Somebody else may have been faster.
    if (!is_empty(database)) return;
    database.execute(kSchema);
    database.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
    database.execute("PRAGMA user_version = " + std::to_string(kVersion));
  });
}

sqlite::Database open_once(const Options& options, sqlite::OpenMode mode) {
  std::error_code ignored;
  const bool exists = std::filesystem::exists(options.path, ignored);
  if (!exists && mode == sqlite::OpenMode::existing) {
    throw Failure{{Remedy::fix_call, "no queue at " + options.path,
                   "whoever publishes or subscribes first creates it"}};
  }
  // Opened with `create`, a file is set to WAL mode; a foreign one must stay as it is.
  sqlite::Database database(options.path, exists ? sqlite::OpenMode::existing : mode,
                            options.busy_timeout);
  if (mode == sqlite::OpenMode::create && is_empty(database)) create_schema(database);
  check_identity(database, options.path);
  // After a burst the file of the write-ahead log shrinks to this again.
  database.execute("PRAGMA journal_size_limit = 67108864");
  return database;
}

// The switch to WAL mode answers "busy" at once when two processes do it together.
sqlite::Database open_database(const Options& options, sqlite::OpenMode mode) {
  const Steady until = std::chrono::steady_clock::now() + options.busy_timeout;
  for (;;) {
    try {
      return open_once(options, mode);
    } catch (const Failure& failure) {
      if (failure.error.remedy != Remedy::retry || std::chrono::steady_clock::now() >= until) {
        throw;
      }
    }
    std::this_thread::sleep_for(kCreateRetryWait);
  }
}

}  // namespace

Status check(const Options& options) {
  const auto refuse = [](std::string text, std::string hint) {
    return Error{Remedy::fix_call, "queue option " + std::move(text), std::move(hint)};
  };
  if (options.path.empty()) return refuse("path is empty", "name the file of the queue");
  if (options.partitions < 1 || options.partitions > 64) {
    return refuse("partitions is " + std::to_string(options.partitions), "use 1 to 64");
  }
  if (options.window_max < 1 || options.window_max > 100'000) {
    return refuse("window_max is " + std::to_string(options.window_max), "use 1 to 100000");
  }
  if (options.body_bytes_max > kBodyBytesMaxMax) {
    return refuse("body_bytes_max is " + std::to_string(options.body_bytes_max),
                  "use at most 268435456 (256 MiB)");
  }
  if (options.unsettled_max < 1 || options.unsettled_max > 1'000'000) {
    return refuse("unsettled_max is " + std::to_string(options.unsettled_max), "use 1 to 1000000");
  }
  if (options.poll_interval < Millis(1) || options.clean_up_interval < Millis(1)) {
    return refuse("poll_interval or clean_up_interval is under 1 ms", "use 5 ms and 60 s");
  }
  if (options.lease_ttl < Millis(40) || options.busy_timeout < Millis(0) ||
      options.retention < std::chrono::hours(0)) {
    return refuse("lease_ttl is under 40 ms, or busy_timeout or retention negative",
                  "use 2 s, 5 s and 168 h");
  }
  return {};
}

LogFile::LogFile(const Options& options, sqlite::OpenMode mode)
    : path_(options.path),
      database_(open_database(options, mode)),
      identity_(identify(options.path)) {}

std::optional<LogFile::Identity> LogFile::identify(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return std::nullopt;
  return Identity{found.st_dev, found.st_ino};
}

bool LogFile::is_replaced() const {
  return identify(path_) != identity_;
}

std::optional<Topic> LogFile::find_topic(std::string_view name) {
  Query found = query("SELECT id, partitions FROM topic WHERE name = ?1");
  if (!found.bind(name).step()) return std::nullopt;
  return Topic{found.number(0), static_cast<std::uint32_t>(found.number(1))};
}

Topic LogFile::create_topic(std::string_view name, std::uint32_t partitions) {
  query("INSERT INTO topic (name, partitions) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")
      .bind(name)
      .bind(std::int64_t{partitions})
      .run();
  return *find_topic(name);
}

std::int64_t LogFile::data_version() {
  return number(database_, "PRAGMA data_version");
}

// FNV-1a: the same for every process and version, because it decides which messages keep their
// order.
std::uint32_t partition_of(std::string_view key, std::string_view message_id,
                           std::uint32_t partitions) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : key.empty() ? message_id : key) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return static_cast<std::uint32_t>((hash ^ (hash >> 32)) % partitions);
}

std::int64_t to_micros(DatabaseTime time) {
  return time.time_since_epoch().count();
}
DatabaseTime from_micros(std::int64_t micros) {
  return DatabaseTime(std::chrono::microseconds(micros));
}

}  // namespace waybill::embedded
