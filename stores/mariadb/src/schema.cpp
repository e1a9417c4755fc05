#include "waybill/stores/schema.hpp"

#include <algorithm>
#include <array>

#include "connection.hpp"
#include "sessions.hpp"
#include "sql.hpp"
#include "waybill/stores/columns.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::mariadb {
namespace {

// Append only. DDL ends the transaction, so that a migration can be cut off anywhere: each of its
// statements can run again.
constexpr store::Migration kProducerMigrations[] = {{sql::kMessageTable1, sql::kProducer1}};
constexpr store::Migration kConsumerMigrations[] = {{"", sql::kConsumer1}, {"", sql::kConsumer2}};

// Held until the connection ends: one migrator of a database works at a time.
constexpr std::string_view kLockMigrators =
    "SELECT GET_LOCK(CONCAT('waybill_schema.', DATABASE()), 30)";
constexpr std::string_view kVersion = "SELECT version FROM waybill_schema WHERE part = ?1";
constexpr std::string_view kSetVersion =
    "INSERT INTO waybill_schema (part, version) VALUES (?1, ?2)"
    " ON DUPLICATE KEY UPDATE version = VALUES(version)";
constexpr std::string_view kTableColumns =
    "SELECT COLUMN_NAME, CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?1 ORDER BY ORDINAL_POSITION";
// Whole columns only: an index of prefixes neither orders nor is unique as we need it.
constexpr std::string_view kIndexes =
    "SELECT INDEX_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX), MAX(NON_UNIQUE) = 0"
    " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?1"
    " GROUP BY INDEX_NAME HAVING COUNT(SUB_PART) = 0 AND MAX(IGNORED) = 'NO'";

constexpr std::string_view kCompared[] = {"message_type", "biz_type", "identifier", "state"};
constexpr std::string_view kStored[] = {"content", "headers"};
constexpr std::string_view kConvert =
    "ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";

const store::SchemaKind& kind() {
  static const std::array<store::WantedIndex, 4> indexes = {{
      {{"id", true, ""},
       "every mark reads the whole table",
       "ALTER TABLE {table} ADD PRIMARY KEY (id)"},
      {{"biz_type,message_type,identifier", true, ""},
       "a repeated request becomes a second message",
       "CREATE UNIQUE INDEX {table}_identity ON {table} (biz_type, message_type, identifier)"
       " ALGORITHM=INPLACE LOCK=NONE"},
      {{"state,message_type,id", false, ""},
       "finding new, parked and dead messages reads the whole table",
       "CREATE INDEX {table}_fresh ON {table} (state, message_type, id)"
       " ALGORITHM=INPLACE LOCK=NONE"},
      {{"state,message_type,gmt_modified,id", false, ""},
       "finding overdue messages reads the whole table",
       "CREATE INDEX {table}_overdue ON {table} (state, message_type, gmt_modified, id)"
       " ALGORITHM=INPLACE LOCK=NONE"},
  }};
  static const store::SchemaKind kind = {
      "CREATE TABLE IF NOT EXISTS waybill_schema (part varchar(80) NOT NULL PRIMARY KEY,"
      " version bigint NOT NULL) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
      kProducerMigrations, kConsumerMigrations, indexes};
  return kind;
}

struct Index {
  std::string name;
  store::IndexShape shape;
};

Parameters of_table(const std::string& table) {
  return Parameters().add(std::string_view(table));
}

std::vector<Index> read_indexes(Connection& connection, const std::string& table) {
  const Rows rows = connection.read(kIndexes, of_table(table));
  std::vector<Index> indexes;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    Index index{rows.text(at, 0), {rows.text(at, 1), rows.number(at, 2) != 0, ""}};
    // InnoDB ends every other index with the primary key.
    std::string& columns = index.shape.columns;
    if (!index.shape.unique && !columns.ends_with(",id")) columns += ",id";
    indexes.push_back(std::move(index));
  }
  return indexes;
}

bool has(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What is wrong with the text columns of a message table that somebody else made.
std::vector<store::SchemaFinding> check_text_columns(Connection& connection,
                                                     const std::string& table) {
  std::vector<store::SchemaFinding> findings;
  const auto found = [&](bool fatal, const std::string& text) {
    findings.push_back({"collation", fatal, text, store::fill_in(kConvert, table)});
  };
  const Rows rows = connection.read(kTableColumns, of_table(table));
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const std::string_view column = rows.view(at, 0);
    const std::string_view charset = rows.view(at, 1);
    const std::string_view collation = rows.view(at, 2);
    const std::string where = "column '" + std::string(column) + "' of table '" + table + "' is " +
                              std::string(collation);
    if (charset.empty()) continue;  // bytes
    const bool compared = has(kCompared, column);
    if (!compared && !has(kStored, column)) continue;
    if (charset != "utf8mb4" && !(compared && charset == "ascii")) {
      found(true, where + ", which cannot hold every message (utf8mb4 can)");
    } else if (compared && !collation.ends_with("_bin")) {
      found(true, where + ", which does not compare as bytes: 'a' would be 'A'");
    } else if (compared && !collation.ends_with("_nopad_bin")) {
      found(false,
            where + ", which ignores spaces at the end: 'ORDER-1 ' is a duplicate of 'ORDER-1'");
    }
  }
  return findings;
}

TableShape shape_of(Connection& connection, const std::string& table,
                    const std::vector<std::string>& columns) {
  TableShape shape;
  shape.has_headers = std::find(columns.begin(), columns.end(), "headers") != columns.end();
  const std::vector<Index> indexes = read_indexes(connection, table);
  const auto hint = [&](std::string_view wanted) -> std::string {
    const auto index = std::find_if(indexes.begin(), indexes.end(), [&](const Index& each) {
      return each.shape.columns == wanted && each.name.find('`') == each.name.npos;
    });
    return index == indexes.end() ? "" : "FORCE INDEX (`" + index->name + "`)";
  };
  shape.by_id = hint("id");
  shape.by_identity = hint("biz_type,message_type,identifier");
  shape.by_fresh = hint("state,message_type,id");
  shape.by_overdue = hint("state,message_type,gmt_modified,id");
  return shape;
}

class MariadbCatalog final : public store::Catalog {
 public:
  MariadbCatalog(Connection& connection, const Options& options)
      : connection_(connection), options_(options) {}

  std::string name() const override { return store::public_url(options_.url); }

  std::string apply_command(SchemaPart part) const override {
    return "waybill schema apply --part " +
           std::string(part == SchemaPart::producer ? "producer" : "consumer") + " --store " +
           name() + (options_.table == Options().table ? "" : " --table " + options_.table);
  }

  std::vector<std::string> columns(const std::string& table) override {
    return store::read_texts(connection_.read(kTableColumns, of_table(table)));
  }

  std::vector<store::IndexShape> indexes(const std::string& table) override {
    std::vector<store::IndexShape> shapes;
    for (Index& index : read_indexes(connection_, table)) shapes.push_back(std::move(index.shape));
    return shapes;
  }

  std::int64_t version(const std::string& part) override {
    if (columns("waybill_schema").empty()) return 0;
    const Rows rows = connection_.read(kVersion, Parameters().add(std::string_view(part)));
    return rows.size() == 0 ? 0 : rows.number(0, 0);
  }

  void set_version(const std::string& part, std::int64_t version) override {
    static_cast<void>(
        connection_.write(kSetVersion, Parameters().add(std::string_view(part)).add(version)));
  }

  void execute(const std::string& statements) override {
    connection_.database().execute(statements);
  }

 private:
  Connection& connection_;
  const Options& options_;
};

// DDL may take longer than a relay's statement.
Options patient(Options options) {
  options.answer_timeout = std::max(options.answer_timeout, Millis(60'000));
  return options;
}

}  // namespace

std::int64_t read_schema_version(Connection& connection, SchemaPart part) {
  const Options options;
  return MariadbCatalog(connection, options).version(store::part_name(part, connection.table()));
}

void verify(Connection& connection, const Options& options, SchemaPart part) {
  MariadbCatalog catalog(connection, options);
  store::verify(catalog, kind(), part, options.table);
  if (part == SchemaPart::consumer) return;
  for (const store::SchemaFinding& finding : check_text_columns(connection, options.table)) {
    if (finding.fatal) {
      throw Failure{{Remedy::fix_call, finding.text, "run: " + finding.statement}};
    }
  }
  connection.set_shape(shape_of(connection, options.table, catalog.columns(options.table)));
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
    Connection connection(patient(options));
    MariadbCatalog catalog(connection, options);
    if (connection.read(kLockMigrators).number(0, 0) != 1) {
      throw Failure{{Remedy::retry, "somebody else migrates " + catalog.name(), "try again"}};
    }
    return store::migrate(catalog, kind(), part, options.table);
  });
}

Result<std::vector<SchemaFinding>> check_schema(const Options& options, SchemaPart part) {
  return guarded([&] {
    Connection connection(patient(options));
    MariadbCatalog catalog(connection, options);
    std::vector<SchemaFinding> findings = store::check(catalog, kind(), part, options.table);
    if (part == SchemaPart::consumer) return findings;
    for (SchemaFinding& finding : findings) {
      if (finding.fatal) return findings;
      // Whatever the table's own character set is.
      if (finding.name == "missing_headers") finding.statement += " CHARACTER SET utf8mb4";
    }
    for (SchemaFinding& finding : check_text_columns(connection, options.table)) {
      findings.push_back(std::move(finding));
    }
    return findings;
  });
}

}  // namespace waybill::mariadb
