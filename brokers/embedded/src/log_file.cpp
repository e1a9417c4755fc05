#include "log_file.hpp"

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

std::int64_t pragma(LogFile& file, const char* sql) {
  Query query = file.query(sql);
  query.step();
  return query.number(0);
}

}  // namespace

LogFile::LogFile(const Options& options, sqlite::OpenMode mode)
    : database_(options.path, mode, options.busy_timeout) {
  const auto fail = [&](const std::string& text, const std::string& hint) {
    throw sqlite::Failure{{Remedy::fix_call, options.path + text, hint}};
  };
  const auto check = [&] {
    if (pragma(*this, "PRAGMA application_id") != kApplicationId) {
      fail(" is a database, but no waybill queue", "name another file for the queue");
    }
    const std::int64_t version = pragma(*this, "PRAGMA user_version");
    if (version != kVersion) {
      fail(" has queue version " + std::to_string(version) + ", this program knows " +
               std::to_string(kVersion),
           "use the waybill that made it, or a new file");
    }
  };
  constexpr const char* kTables = "SELECT COUNT(*) FROM sqlite_schema";
  if (mode == sqlite::OpenMode::create && pragma(*this, kTables) == 0) {
    sqlite::in_transaction(database_, [&] {
      // Somebody else may have been faster.
      if (pragma(*this, kTables) != 0) return;
      database_.execute(kSchema);
      database_.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
      database_.execute("PRAGMA user_version = " + std::to_string(kVersion));
    });
  }
  check();
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
  return pragma(*this, "PRAGMA data_version");
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
