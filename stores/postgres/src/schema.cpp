#include "waybill/stores/schema.hpp"

#include <algorithm>
#include <array>

#include "connection.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::postgres {
namespace {

// Append only.
constexpr store::Migration kProducerMigrations[] = {{sql::kMessageTable1, sql::kProducer1}};
constexpr store::Migration kConsumerMigrations[] = {{"", sql::kConsumer1}, {"", sql::kConsumer2}};

// Held until the migration's transaction ends: one migrator works at a time.
constexpr std::string_view kLockMigrators =
    "SELECT pg_advisory_xact_lock(hashtextextended('waybill_schema', 0))";
constexpr std::string_view kVersionTableExists = "SELECT to_regclass('waybill_schema') IS NOT NULL";
constexpr std::string_view kVersion = "SELECT version FROM waybill_schema WHERE part = $1";
constexpr std::string_view kSetVersion =
    "INSERT INTO waybill_schema (part, version) VALUES ($1, $2)"
    " ON CONFLICT (part) DO UPDATE SET version = excluded.version";
constexpr std::string_view kTableColumns =
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0"
    " AND NOT attisdropped ORDER BY attnum";
// A nondeterministic collation takes different bytes for the same.
constexpr std::string_view kLooseColumns =
    "SELECT a.attname::text, c.collname::text, format_type(a.atttypid, a.atttypmod)"
    " FROM pg_attribute AS a JOIN pg_collation AS c ON c.oid = a.attcollation"
    " WHERE a.attrelid = to_regclass($1) AND NOT a.attisdropped AND NOT c.collisdeterministic"
    " AND a.attname IN ('message_type', 'biz_type', 'identifier', 'state') ORDER BY a.attnum";
// Whole columns only, and what ON CONFLICT looks at.
constexpr std::string_view kIndexes =
    "SELECT (SELECT string_agg(a.attname::text, ',' ORDER BY k.place)"
    " FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)"
    " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number),"
    " i.indisunique, pg_get_expr(i.indpred, i.indrelid)"
    " FROM pg_index AS i WHERE i.indrelid = to_regclass($1) AND i.indisvalid"
    " AND i.indimmediate AND i.indexprs IS NULL";

const store::SchemaKind& kind() {
  static const std::array<store::WantedIndex, 4> indexes = {{
      {{"biz_type,message_type,identifier", true, ""},
       "a repeated request becomes a second message",
       "CREATE UNIQUE INDEX CONCURRENTLY {table}_identity ON {table}"
       " (biz_type, message_type, identifier)"},
      {{"message_type,id", false, "'INIT'"},
       "finding new messages reads the whole table",
       "CREATE INDEX CONCURRENTLY {table}_fresh ON {table} (message_type, id)"
       " WHERE state = 'INIT'"},
      {{"message_type,gmt_modified,id", false, "'SENT'"},
       "finding overdue messages reads the whole table",
       "CREATE INDEX CONCURRENTLY {table}_overdue ON {table} (message_type, gmt_modified, id)"
       " WHERE state = 'SENT'"},
      {{"message_type,state,id", false, "'PARKED'"},
       "finding parked and dead messages reads the whole table",
       "CREATE INDEX CONCURRENTLY {table}_stuck ON {table} (message_type, state, id)"
       " WHERE state IN ('PARKED', 'DEAD')"},
  }};
  static const store::SchemaKind kind = {
      "CREATE TABLE IF NOT EXISTS waybill_schema (part text PRIMARY KEY, version bigint NOT NULL)",
      kProducerMigrations, kConsumerMigrations, indexes};
  return kind;
}

// What is wrong with the text columns of a message table that somebody else made.
std::vector<store::SchemaFinding> check_text_columns(Connection& connection,
                                                     const std::string& table) {
  std::vector<store::SchemaFinding> findings;
  const Rows rows =
      connection.read(kLooseColumns, std::move(Parameters().add(std::string_view(table))));
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const std::string column = rows.text(at, 0);
    findings.push_back({"collation", true,
                        "column '" + column + "' of table '" + table + "' is " + rows.text(at, 1) +
                            ", which does not compare as bytes: 'a' may be 'A'",
                        "ALTER TABLE " + table + " ALTER COLUMN " + column + " TYPE " +
                            rows.text(at, 2) + " COLLATE \"C\""});
  }
  return findings;
}

class PostgresCatalog final : public store::Catalog {
 public:
  PostgresCatalog(Connection& connection, const Options& options)
      : connection_(connection), options_(options) {}

  std::string name() const override { return store::public_url(options_.url); }

  std::string apply_command(SchemaPart part) const override {
    return "waybill schema apply --part " +
           std::string(part == SchemaPart::producer ? "producer" : "consumer") + " --store " +
           name() + (options_.table == Options().table ? "" : " --table " + options_.table);
  }

  std::vector<std::string> columns(const std::string& table) override {
    return store::read_texts(
        connection_.read(kTableColumns, std::move(Parameters().add(std::string_view(table)))));
  }

  std::vector<store::IndexShape> indexes(const std::string& table) override {
    const Rows rows =
        connection_.read(kIndexes, std::move(Parameters().add(std::string_view(table))));
    std::vector<store::IndexShape> indexes;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      indexes.push_back({rows.text(at, 0), rows.number(at, 1) != 0, rows.text(at, 2)});
    }
    return indexes;
  }

  std::int64_t version(const std::string& part) override {
    if (connection_.read(kVersionTableExists).number(0, 0) == 0) return 0;
    const Rows rows =
        connection_.read(kVersion, std::move(Parameters().add(std::string_view(part))));
    return rows.size() == 0 ? 0 : rows.number(0, 0);
  }

  void set_version(const std::string& part, std::int64_t version) override {
    static_cast<void>(connection_.write(
        kSetVersion, std::move(Parameters().add(std::string_view(part)).add(version))));
  }

  void execute(const std::string& statements) override {
    connection_.database().execute(statements);
  }

 private:
  Connection& connection_;
  const Options& options_;
};

}  // namespace

std::int64_t read_schema_version(Connection& connection, SchemaPart part) {
  const Options options;
  return PostgresCatalog(connection, options).version(store::part_name(part, connection.table()));
}

void verify(Connection& connection, const Options& options, SchemaPart part) {
  PostgresCatalog catalog(connection, options);
  store::verify(catalog, kind(), part, options.table);
  if (part == SchemaPart::consumer) return;
  if (const auto findings = check_text_columns(connection, options.table); !findings.empty()) {
    throw Failure{{Remedy::fix_call, findings.front().text, "run: " + findings.front().statement}};
  }
  const auto columns = catalog.columns(options.table);
  connection.set_has_headers(std::find(columns.begin(), columns.end(), "headers") != columns.end());
}

std::string print_schema(SchemaPart part, std::string_view table) {
  return store::print_schema(kind(), part, table);
}

std::string print_roles(SchemaPart part, std::string_view table) {
  return store::fill_in(part == SchemaPart::producer ? sql::kRolesProducer : sql::kRolesConsumer,
                        table);
}

Result<SchemaApplied> apply_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    Connection connection(options, Planner::free);
    PostgresCatalog catalog(connection, options);
    return connection.database().transaction([&] {
      static_cast<void>(connection.write(kLockMigrators));
      return store::migrate(catalog, kind(), part, options.table);
    });
  });
}

Result<std::vector<SchemaFinding>> check_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    Connection connection(options, Planner::free);
    PostgresCatalog catalog(connection, options);
    std::vector<SchemaFinding> findings = store::check(catalog, kind(), part, options.table);
    if (part == SchemaPart::consumer) return findings;
    for (SchemaFinding& finding : check_text_columns(connection, options.table)) {
      findings.push_back(std::move(finding));
    }
    return findings;
  });
}

}  // namespace waybill::postgres
