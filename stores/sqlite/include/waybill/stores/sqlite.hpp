// waybill's tables in a SQLite database: the message store, the inbox store, and their schema.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"
#include "waybill/stores/schema.hpp"

namespace waybill::sqlite {

struct Options {
  std::string path;                     // the database file
  std::string table = "local_message";  // 1…48 of [a-z0-9_], not starting with a digit
  Millis busy_timeout{5000};            // the longest wait for other writers; then Remedy::retry
  Millis write_gap{5};  // between two write transactions of this process on this file
};

// Opens what exists; never creates a file or a table.
// **Errors**: fix_call for a missing, foreign or read-only file, another schema version or missing
// tables; retry for a locked one. **Thread safety**: from any thread.
[[nodiscard]] Result<std::unique_ptr<MessageStore>> open_message_store(const Options& options);
[[nodiscard]] Result<std::unique_ptr<InboxStore>> open_inbox_store(const Options& options);

using store::SchemaApplied;
using store::SchemaFinding;
using store::SchemaPart;

// The statements that `apply_schema` would run on an empty database.
[[nodiscard]] std::string print_schema(SchemaPart part, std::string_view table = "local_message");

// Creates the file if it is missing, sets WAL mode, and brings the part to this library's version,
// forward only. Idempotent; two at once are fine. A message table that exists already is never
// altered.
[[nodiscard]] Result<SchemaApplied> apply_schema(const Options& options, SchemaPart part);

[[nodiscard]] Result<std::vector<SchemaFinding>> check_schema(const Options& options,
                                                              SchemaPart part);

}  // namespace waybill::sqlite
