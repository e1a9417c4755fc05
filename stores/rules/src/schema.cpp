#include "waybill/stores/schema.hpp"

#include <algorithm>

#include "waybill/stores/rules.hpp"

namespace waybill::store {
namespace {

constexpr std::string_view kColumns[] = {"id",       "gmt_create", "gmt_modified", "message_type",
                                         "biz_type", "identifier", "content",      "state"};
constexpr std::string_view kProducerTables[] = {"{table}_delivery", "{table}_receipt",
                                                "{table}_lease",    "waybill_route",
                                                "waybill_consumer", "waybill_audit"};
constexpr std::string_view kConsumerTables[] = {"waybill_inbox", "waybill_parked",
                                                "waybill_attempt", "waybill_audit"};

std::span<const Migration> migrations(const SchemaKind& kind, SchemaPart part) {
  return part == SchemaPart::producer ? kind.producer : kind.consumer;
}

std::span<const std::string_view> tables(SchemaPart part) {
  if (part == SchemaPart::producer) return kProducerTables;
  return kConsumerTables;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Failure wrong_version(Catalog& catalog, SchemaPart part, const std::string& table,
                      std::int64_t found, std::int64_t known) {
  if (found == 0) {
    const std::string what = part == SchemaPart::producer ? "'" + table + "'" : "an inbox";
    return {{Remedy::fix_call, catalog.name() + " has no waybill schema for " + what,
             "run: " + catalog.apply_command(part)}};
  }
  const std::string text = catalog.name() + " has schema version " + std::to_string(found);
  if (found > known) {
    return {{Remedy::fix_call, text + ", this program knows " + std::to_string(known),
             "use a waybill that is at least as new as the one that wrote the schema"}};
  }
  return {{Remedy::fix_call, text + ", this program needs " + std::to_string(known),
           "run: " + catalog.apply_command(part)}};
}

void check_message_table(Catalog& catalog, const std::string& table) {
  const std::vector<std::string> columns = catalog.columns(table);
  if (columns.empty()) {
    throw Failure{{Remedy::fix_call, "there is no table '" + table + "' in " + catalog.name(),
                   "run: " + catalog.apply_command(SchemaPart::producer)}};
  }
  for (const std::string_view column : kColumns) {
    if (has(columns, column)) continue;
    throw Failure{{Remedy::fix_call,
                   "table '" + table + "' has no column '" + std::string(column) + "'",
                   "a message table has at least the eight columns id, gmt_create, gmt_modified, "
                   "message_type, biz_type, identifier, content, state"}};
  }
}

// An index under another name counts too.
bool matches(const IndexShape& index, const IndexShape& wanted) {
  return index.columns == wanted.columns && (!wanted.unique || index.unique) &&
         index.condition.empty() == wanted.condition.empty() &&
         index.condition.find(wanted.condition) != std::string::npos;
}

}  // namespace

std::string part_name(SchemaPart part, const std::string& table) {
  return part == SchemaPart::producer ? "producer:" + table : "consumer";
}

std::string print_schema(const SchemaKind& kind, SchemaPart part, std::string_view table) {
  std::string text(kind.version_table);
  text += ";\n";
  for (const Migration& migration : migrations(kind, part)) {
    text += migration.message_table;
    text += migration.rest;
  }
  return fill_in(text, table);
}

SchemaApplied migrate(Catalog& catalog, const SchemaKind& kind, SchemaPart part,
                      const std::string& table) {
  const auto known = static_cast<std::int64_t>(migrations(kind, part).size());
  const std::string name = part_name(part, table);
  SchemaApplied applied;
  applied.version_before = applied.version_after = catalog.version(name);
  if (applied.version_before > known)
    throw wrong_version(catalog, part, table, applied.version_before, known);
  const bool foreign = part == SchemaPart::producer && applied.version_before == 0 &&
                       !catalog.columns(table).empty();
  if (foreign) {
    check_message_table(catalog, table);
    applied.done.push_back("table '" + table + "' was there before and stays as it is");
  }
  // Nothing is created before everything is looked at: not every database can take DDL back.
  catalog.execute(std::string(kind.version_table));
  for (std::int64_t version = applied.version_before; version < known; ++version) {
    const Migration& migration = migrations(kind, part)[static_cast<std::size_t>(version)];
    // The indexes of a table that somebody else made are theirs to add; schema check prints them.
    if (!foreign && !migration.message_table.empty()) {
      catalog.execute(fill_in(migration.message_table, table));
    }
    catalog.execute(fill_in(migration.rest, table));
    applied.version_after = version + 1;
    applied.done.push_back("migration " + std::to_string(version + 1));
  }
  if (applied.version_after != applied.version_before) {
    catalog.set_version(name, applied.version_after);
  }
  return applied;
}

void verify(Catalog& catalog, const SchemaKind& kind, SchemaPart part, const std::string& table) {
  const auto known = static_cast<std::int64_t>(migrations(kind, part).size());
  const std::int64_t version = catalog.version(part_name(part, table));
  if (version != known) throw wrong_version(catalog, part, table, version, known);
  for (const std::string_view side : tables(part)) {
    const std::string side_table = fill_in(side, table);
    if (!catalog.columns(side_table).empty()) continue;
    throw Failure{{Remedy::fix_call, "there is no table '" + side_table + "' in " + catalog.name(),
                   "restore it from a backup, or see: waybill schema print"}};
  }
  if (part == SchemaPart::producer) check_message_table(catalog, table);
}

std::vector<SchemaFinding> check(Catalog& catalog, const SchemaKind& kind, SchemaPart part,
                                 const std::string& table) {
  std::vector<SchemaFinding> findings;
  try {
    verify(catalog, kind, part, table);
  } catch (const Failure& failure) {
    if (failure.error.remedy != Remedy::fix_call) throw;
    findings.push_back({"schema_unusable", true, failure.error.text, failure.error.hint});
    return findings;
  }
  if (part == SchemaPart::consumer) return findings;
  if (!has(catalog.columns(table), "headers")) {
    findings.push_back(
        {"missing_headers", false,
         "table '" + table +
             "' has no column headers: keys, trace context and binary content are refused",
         "ALTER TABLE " + table + " ADD COLUMN headers TEXT"});
  }
  const std::vector<IndexShape> indexes = catalog.indexes(table);
  for (const WantedIndex& wanted : kind.indexes) {
    const bool found = std::any_of(indexes.begin(), indexes.end(), [&](const IndexShape& index) {
      return matches(index, wanted.shape);
    });
    if (found) continue;
    findings.push_back({wanted.shape.unique ? "missing_unique" : "missing_index", false,
                        "table '" + table + "' has no " + (wanted.shape.unique ? "unique " : "") +
                            "index on (" + wanted.shape.columns + "): " + std::string(wanted.cost),
                        fill_in(wanted.statement, table)});
  }
  return findings;
}

}  // namespace waybill::store
