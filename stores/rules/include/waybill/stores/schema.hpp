// waybill's tables and their versions, as every store brings them about.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/error.hpp"

namespace waybill::store {

enum class SchemaPart {
  producer,  // message table, its side tables, routes, audit
  consumer,  // inbox, attempts and parked messages
};

struct SchemaApplied {
  std::int64_t version_before = 0;
  std::int64_t version_after = 0;
  std::vector<std::string> done;  // what was done, one line each
};

struct SchemaFinding {
  std::string name;  // schema_unusable, missing_unique, missing_index, missing_headers or collation
  bool fatal = false;  // waybill cannot work; else a guarantee or the speed is reduced
  std::string text;
  std::string statement;  // mends it; may be empty
};

struct IndexShape {
  std::string columns;  // joined by ','
  bool unique = false;
  std::string condition;  // of a partial index, as the database spells it; else empty
};

// An index that the lanes need.
struct WantedIndex {
  IndexShape shape;  // `condition`: what a partial index's condition holds; empty = not partial
  std::string_view cost;  // what comes of its absence
  std::string_view statement;
};

// One migration brings a part from version n - 1 to n. `message_table` is left out where somebody
// else made that table.
struct Migration {
  std::string_view message_table;
  std::string_view rest;
};

// What the rules need to know of one kind of database.
struct SchemaKind {
  std::string_view version_table;  // the statement that creates waybill_schema if it is missing
  std::span<const Migration> producer;
  std::span<const Migration> consumer;
  std::span<const WantedIndex> indexes;
};

// A database whose schema is looked at or changed, inside one transaction where there is one. All
// members throw Failure.
class Catalog {
 public:
  virtual ~Catalog() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // for messages, without a password
  [[nodiscard]] virtual std::string apply_command(SchemaPart part) const = 0;
  [[nodiscard]] virtual std::vector<std::string> columns(const std::string& table) = 0;
  [[nodiscard]] virtual std::vector<IndexShape> indexes(const std::string& table) = 0;
  // 0 = no such part, or no version table.
  [[nodiscard]] virtual std::int64_t version(const std::string& part) = 0;
  virtual void set_version(const std::string& part, std::int64_t version) = 0;
  virtual void execute(const std::string& statements) = 0;
};

[[nodiscard]] std::string print_schema(const SchemaKind& kind, SchemaPart part,
                                       std::string_view table);
// Forward only. A message table that exists already is never altered.
[[nodiscard]] SchemaApplied migrate(Catalog& catalog, const SchemaKind& kind, SchemaPart part,
                                    const std::string& table);
// Throws Failure unless a session can work.
void verify(Catalog& catalog, const SchemaKind& kind, SchemaPart part, const std::string& table);
[[nodiscard]] std::vector<SchemaFinding> check(Catalog& catalog, const SchemaKind& kind,
                                               SchemaPart part, const std::string& table);
// A store's URL as it may be shown: without its password, whatever its scheme.
[[nodiscard]] std::string public_url(std::string_view url);
// The part's name in waybill_schema.
[[nodiscard]] std::string part_name(SchemaPart part, const std::string& table);

}  // namespace waybill::store
