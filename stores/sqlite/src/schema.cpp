#include "waybill/stores/schema.hpp"

#include <array>

#include "connection.hpp"
#include "sessions.hpp"
#include "sql.hpp"

namespace waybill::sqlite {
namespace {

using store::SchemaKind;

// Append only.
constexpr store::Migration kProducerMigrations[] = {{sql::kMessageTable1, sql::kProducer1}};
constexpr store::Migration kConsumerMigrations[] = {{"", sql::kConsumer1}, {"", sql::kConsumer2}};

constexpr std::string_view kTableExists =
    "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
constexpr std::string_view kVersion = "SELECT version FROM waybill_schema WHERE part = ?1";
constexpr std::string_view kSetVersion =
    "INSERT INTO waybill_schema (part, version) VALUES (?1, ?2)"
    " ON CONFLICT (part) DO UPDATE SET version = excluded.version";
constexpr std::string_view kJournalMode = "PRAGMA journal_mode";
constexpr std::string_view kTableColumns = "SELECT name FROM pragma_table_info(?1) ORDER BY cid";
constexpr std::string_view kIndexes =
    "SELECT (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(l.name)"
    " ORDER BY seqno)), l.\"unique\","
    " CASE WHEN l.partial THEN (SELECT s.sql FROM sqlite_schema AS s WHERE s.name = l.name) END"
    " FROM pragma_index_list(?1) AS l";

const SchemaKind& kind() {
  static const std::array<store::WantedIndex, 4> indexes = {{
      {{"biz_type,message_type,identifier", true, ""},
       "a repeated request becomes a second message",
       "CREATE UNIQUE INDEX {table}_identity ON {table} (biz_type, message_type, identifier)"},
      {{"message_type,id", false, "'INIT'"},
       "finding new messages reads the whole table",
       "CREATE INDEX {table}_fresh ON {table} (message_type, id) WHERE state = 'INIT'"},
      {{"message_type,gmt_modified,id", false, "'SENT'"},
       "finding overdue messages reads the whole table",
       "CREATE INDEX {table}_overdue ON {table} (message_type, gmt_modified, id)"
       " WHERE state = 'SENT'"},
      {{"message_type,state,id", false, "'PARKED'"},
       "finding parked and dead messages reads the whole table",
       "CREATE INDEX {table}_stuck ON {table} (message_type, state, id)"
       " WHERE state IN ('PARKED', 'DEAD')"},
  }};
  static const SchemaKind kind = {
      "CREATE TABLE IF NOT EXISTS waybill_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL)",
      kProducerMigrations, kConsumerMigrations, indexes};
  return kind;
}

class SqliteCatalog final : public store::Catalog {
 public:
  SqliteCatalog(Connection& connection, const Options& options)
      : connection_(connection), options_(options) {}

  std::string name() const override { return options_.path; }

  std::string apply_command(SchemaPart part) const override {
    return "waybill schema apply --part " +
           std::string(part == SchemaPart::producer ? "producer" : "consumer") +
           " --store sqlite://" + options_.path +
           (options_.table == Options().table ? "" : " --table " + options_.table);
  }

  std::vector<std::string> columns(const std::string& table) override {
    std::vector<std::string> columns;
    Query query = connection_.query(kTableColumns);
    query.bind(table);
    while (query.step()) columns.push_back(query.text(0));
    return columns;
  }

  std::vector<store::IndexShape> indexes(const std::string& table) override {
    std::vector<store::IndexShape> indexes;
    Query query = connection_.query(kIndexes);
    query.bind(table);
    while (query.step()) indexes.push_back({query.text(0), query.number(1) == 1, query.text(2)});
    return indexes;
  }

  std::int64_t version(const std::string& part) override {
    {
      Query exists = connection_.query(kTableExists);
      if (!exists.bind("waybill_schema").step() || exists.number(0) == 0) return 0;
    }
    Query query = connection_.query(kVersion);
    return query.bind(part).step() ? query.number(0) : 0;
  }

  void set_version(const std::string& part, std::int64_t version) override {
    connection_.query(kSetVersion).bind(part).bind(version).run();
  }

  void execute(const std::string& statements) override { connection_.execute(statements); }

 private:
  Connection& connection_;
  const Options& options_;
};

bool is_wal(Connection& connection) {
  Query query = connection.query(kJournalMode);
  query.step();
  return query.text(0) == "wal";
}

}  // namespace

std::int64_t read_schema_version(Connection& connection, SchemaPart part) {
  Options options;
  options.table = connection.fill_in("{table}");
  return SqliteCatalog(connection, options).version(store::part_name(part, options.table));
}

void verify(Connection& connection, const Options& options, SchemaPart part) {
  SqliteCatalog catalog(connection, options);
  if (!is_wal(connection)) {
    throw Failure{{Remedy::fix_call, options.path + " is not in WAL mode",
                   "run: " + catalog.apply_command(part)}};
  }
  store::verify(catalog, kind(), part, options.table);
  if (part == SchemaPart::producer) connection.detect_headers();
}

std::string print_schema(SchemaPart part, std::string_view table) {
  return store::print_schema(kind(), part, table);
}

Result<SchemaApplied> apply_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    Connection connection(options, OpenMode::create);
    if (!is_wal(connection)) {
      throw Failure{{Remedy::fix_call, options.path + " cannot be switched to WAL mode",
                     "WAL needs a local file system with shared memory"}};
    }
    SqliteCatalog catalog(connection, options);
    return connection.write([&] { return store::migrate(catalog, kind(), part, options.table); });
  });
}

Result<std::vector<SchemaFinding>> check_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    Connection connection(options, OpenMode::existing);
    SqliteCatalog catalog(connection, options);
    if (!is_wal(connection)) {
      return std::vector<SchemaFinding>{{"schema_unusable", true,
                                         options.path + " is not in WAL mode",
                                         "run: " + catalog.apply_command(part)}};
    }
    return store::check(catalog, kind(), part, options.table);
  });
}

}  // namespace waybill::sqlite
