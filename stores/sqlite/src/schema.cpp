#include <algorithm>
#include <array>

#include "connection.hpp"
#include "sessions.hpp"
#include "sql.hpp"

namespace waybill::sqlite {
namespace {

// Migration n brings a part from version n - 1 to n. Append only.
constexpr std::array kProducerMigrations = {sql::kProducer1};
constexpr std::array kConsumerMigrations = {sql::kConsumer1};

constexpr std::string_view kColumns[] = {"id",       "gmt_create", "gmt_modified", "message_type",
                                         "biz_type", "identifier", "content",      "state"};
constexpr std::string_view kProducerTables[] = {"{table}_delivery", "{table}_receipt",
                                                "{table}_lease",    "waybill_route",
                                                "waybill_consumer", "waybill_audit"};
constexpr std::string_view kConsumerTables[] = {"waybill_inbox", "waybill_parked",
                                                "waybill_attempt", "waybill_audit"};

constexpr std::string_view kSchemaTable =
    "CREATE TABLE IF NOT EXISTS waybill_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL)";
constexpr std::string_view kTableExists =
    "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
constexpr std::string_view kVersion = "SELECT version FROM waybill_schema WHERE part = ?1";
constexpr std::string_view kSetVersion =
    "INSERT INTO waybill_schema (part, version) VALUES (?1, ?2)"
    " ON CONFLICT (part) DO UPDATE SET version = excluded.version";
constexpr std::string_view kJournalMode = "PRAGMA journal_mode";
constexpr std::string_view kTableColumns = "SELECT name FROM pragma_table_info(?1) ORDER BY cid";
// Index names by their columns, as text, so that an index under another name counts too.
constexpr std::string_view kIndexes =
    "SELECT l.name, l.\"unique\", l.partial,"
    " (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno)),"
    " (SELECT s.sql FROM sqlite_schema AS s WHERE s.name = l.name)"
    " FROM pragma_index_list(?1) AS l";

std::string part_name(const Options& options, SchemaPart part) {
  return part == SchemaPart::producer ? "producer:" + options.table : "consumer";
}

std::span<const std::string_view> migrations(SchemaPart part) {
  if (part == SchemaPart::producer) return kProducerMigrations;
  return kConsumerMigrations;
}

std::span<const std::string_view> tables(SchemaPart part) {
  if (part == SchemaPart::producer) return kProducerTables;
  return kConsumerTables;
}

std::string apply_command(const Options& options, SchemaPart part) {
  return "run: waybill schema apply --part " +
         std::string(part == SchemaPart::producer ? "producer" : "consumer") +
         " --store sqlite://" + options.path +
         (options.table == Options().table ? "" : " --table " + options.table);
}

bool table_exists(Connection& connection, std::string_view name) {
  const std::string table = connection.fill_in(name);
  Query query = connection.query(kTableExists);
  return query.bind(table).step() && query.number(0) == 1;
}

std::int64_t version_of(Connection& connection, const Options& options, SchemaPart part) {
  if (!table_exists(connection, "waybill_schema")) return 0;
  const std::string name = part_name(options, part);
  Query query = connection.query(kVersion);
  return query.bind(name).step() ? query.number(0) : 0;
}

std::string journal_mode(Connection& connection) {
  Query query = connection.query(kJournalMode);
  query.step();
  return query.text(0);
}

Failure newer_schema(std::int64_t found, std::int64_t known, const Options& options) {
  return {{Remedy::fix_call,
           options.path + " has schema version " + std::to_string(found) + ", this program knows " +
               std::to_string(known),
           "use a waybill that is at least as new as the one that wrote the schema"}};
}

std::vector<std::string> missing_columns(Connection& connection, const Options& options) {
  std::vector<std::string> columns;
  Query query = connection.query(kTableColumns);
  query.bind(options.table);
  while (query.step()) columns.push_back(query.text(0));
  std::vector<std::string> missing;
  for (const std::string_view column : kColumns) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end())
      missing.emplace_back(column);
  }
  return missing;
}

void check_message_table(Connection& connection, const Options& options) {
  const auto missing = missing_columns(connection, options);
  if (missing.empty()) return;
  if (missing.size() == std::size(kColumns)) {
    throw Failure{{Remedy::fix_call, "there is no table '" + options.table + "' in " + options.path,
                   apply_command(options, SchemaPart::producer)}};
  }
  throw Failure{
      {Remedy::fix_call, "table '" + options.table + "' has no column '" + missing.front() + "'",
       "a message table has at least the eight columns id, gmt_create, gmt_modified, message_type, "
       "biz_type, identifier, content, state"}};
}

struct Wanted {
  bool unique;
  std::string_view state;  // of a partial index, as its condition spells it; empty = not partial
  std::string_view columns;
  std::string_view cost;
  std::string_view statement;
};

constexpr Wanted kWantedIndexes[] = {
    {true, "", "biz_type,message_type,identifier", "a repeated request becomes a second message",
     "CREATE UNIQUE INDEX {table}_identity ON {table} (biz_type, message_type, identifier)"},
    {false, "'INIT'", "message_type,id", "finding new messages reads the whole table",
     "CREATE INDEX {table}_fresh ON {table} (message_type, id) WHERE state = 'INIT'"},
    {false, "'SENT'", "message_type,gmt_modified,id",
     "finding overdue messages reads the whole table",
     "CREATE INDEX {table}_overdue ON {table} (message_type, gmt_modified, id) WHERE state = "
     "'SENT'"},
    {false, "'PARKED'", "message_type,state,id",
     "finding parked and dead messages reads the whole table",
     "CREATE INDEX {table}_stuck ON {table} (message_type, state, id) WHERE state IN ('PARKED', "
     "'DEAD')"},
};

void check_indexes(Connection& connection, const Options& options,
                   std::vector<SchemaFinding>& findings) {
  for (const Wanted& wanted : kWantedIndexes) {
    bool found = false;
    Query query = connection.query(kIndexes);
    query.bind(options.table);
    while (query.step()) {
      found =
          found || (query.text(3) == wanted.columns && (!wanted.unique || query.number(1) == 1) &&
                    (query.number(2) == 1) != wanted.state.empty() &&
                    query.text(4).find(wanted.state) != std::string::npos);
    }
    if (found) continue;
    findings.push_back({wanted.unique ? "missing_unique" : "missing_index", false,
                        "table '" + options.table + "' has no " + (wanted.unique ? "unique " : "") +
                            "index on (" + std::string(wanted.columns) +
                            "): " + std::string(wanted.cost),
                        connection.fill_in(wanted.statement)});
  }
}

void check_headers(Connection& connection, const Options& options,
                   std::vector<SchemaFinding>& findings) {
  Query query = connection.query(kTableColumns);
  query.bind(options.table);
  while (query.step()) {
    if (query.text(0) == "headers") return;
  }
  findings.push_back(
      {"missing_headers", false,
       "table '" + options.table +
           "' has no column headers: keys, trace context and binary content are refused",
       "ALTER TABLE " + options.table + " ADD COLUMN headers TEXT"});
}

SchemaApplied migrate(Connection& connection, const Options& options, SchemaPart part) {
  SchemaApplied applied;
  const auto known = static_cast<std::int64_t>(migrations(part).size());
  connection.write([&] {
    applied = {};
    connection.execute(std::string(kSchemaTable));
    applied.version_before = version_of(connection, options, part);
    applied.version_after = applied.version_before;
    if (applied.version_before > known) throw newer_schema(applied.version_before, known, options);
    const bool foreign = part == SchemaPart::producer && applied.version_before == 0 &&
                         table_exists(connection, options.table);
    if (foreign) {
      check_message_table(connection, options);
      applied.done.push_back("table '" + options.table + "' was there before and stays as it is");
    }
    for (std::int64_t version = applied.version_before; version < known; ++version) {
      std::string statements =
          connection.fill_in(migrations(part)[static_cast<std::size_t>(version)]);
      // The indexes of a table that somebody else made are theirs to add; schema check prints them.
      if (foreign)
        statements.erase(
            0, statements.find("CREATE TABLE IF NOT EXISTS " + options.table + "_delivery"));
      connection.execute(statements);
      applied.version_after = version + 1;
      applied.done.push_back("migration " + std::to_string(version + 1));
    }
    const std::string name = part_name(options, part);
    connection.query(kSetVersion).bind(name).bind(applied.version_after).run();
  });
  return applied;
}

}  // namespace

std::int64_t read_schema_version(Connection& connection, SchemaPart part) {
  Options options;
  options.table = connection.fill_in("{table}");
  return version_of(connection, options, part);
}

void verify(Connection& connection, const Options& options, SchemaPart part) {
  if (journal_mode(connection) != "wal") {
    throw Failure{
        {Remedy::fix_call, options.path + " is not in WAL mode", apply_command(options, part)}};
  }
  const auto known = static_cast<std::int64_t>(migrations(part).size());
  const std::int64_t version = version_of(connection, options, part);
  if (version > known) throw newer_schema(version, known, options);
  if (version < known) {
    throw Failure{{Remedy::fix_call,
                   options.path + " has schema version " + std::to_string(version) +
                       ", this program needs " + std::to_string(known),
                   apply_command(options, part)}};
  }
  for (const std::string_view table : tables(part)) {
    if (table_exists(connection, table)) continue;
    throw Failure{{Remedy::fix_call,
                   "there is no table '" + connection.fill_in(table) + "' in " + options.path,
                   "restore it from a backup, or see: waybill schema print"}};
  }
  if (part == SchemaPart::producer) {
    check_message_table(connection, options);
    connection.detect_headers();
  }
}

std::string print_schema(SchemaPart part, std::string_view table) {
  std::string text(kSchemaTable);
  text += ";\n";
  for (const std::string_view migration : migrations(part)) text += migration;
  std::string printed;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t found = std::min(text.find("{table}", at), text.size());
    printed.append(text, at, found - at);
    if (found < text.size()) printed += table;
    at = found + std::string_view("{table}").size();
  }
  return printed;
}

Result<SchemaApplied> apply_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    Connection connection(options, OpenMode::create);
    if (journal_mode(connection) != "wal") {
      throw Failure{{Remedy::fix_call, options.path + " cannot be switched to WAL mode",
                     "WAL needs a local file system with shared memory"}};
    }
    return migrate(connection, options, part);
  });
}

Result<std::vector<SchemaFinding>> check_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    std::vector<SchemaFinding> findings;
    Connection connection(options, OpenMode::existing);
    try {
      verify(connection, options, part);
    } catch (const Failure& failure) {
      findings.push_back({"schema_unusable", true, failure.error.text, failure.error.hint});
      return findings;
    }
    if (part == SchemaPart::producer) {
      check_headers(connection, options, findings);
      check_indexes(connection, options, findings);
    }
    return findings;
  });
}

}  // namespace waybill::sqlite
