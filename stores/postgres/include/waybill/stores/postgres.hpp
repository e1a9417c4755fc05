// waybill's tables in a PostgreSQL database: the message store, the inbox store, and their schema.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"
#include "waybill/stores/schema.hpp"

namespace waybill::postgres {

struct Options {
  std::string url;  // postgresql://user@host:port/database, with any of libpq's parameters
  std::string table = "local_message";  // 1…48 of [a-z0-9_]; found by the session's search_path
  Millis connect_timeout{2000};         // 2 s at least
  // The longest wait for one answer; then the connection is given up, and the next call connects
  // anew. The server ends a statement and an idle transaction after the same time. At most the
  // relay's lease ttl, so that no black-holed write outlives a lease.
  Millis answer_timeout{2000};
  Millis lock_timeout{1000};  // the longest wait for one row; then Remedy::retry
};

// Looks whether everything is there; creates nothing.
// **Errors**: fix_call for a refused login, a missing database, another schema version or missing
// tables; retry for a server that cannot be reached, is read-only or has no connection left.
// **Thread safety**: from any thread. Every session has a connection of its own, and connects anew
// by itself; it keeps prepared statements, so a pooler in transaction mode does not do.
[[nodiscard]] Result<std::unique_ptr<MessageStore>> open_message_store(const Options& options);
[[nodiscard]] Result<std::unique_ptr<InboxStore>> open_inbox_store(const Options& options);

using store::SchemaApplied;
using store::SchemaFinding;
using store::SchemaPart;

// The statements that `apply_schema` would run on an empty database.
[[nodiscard]] std::string print_schema(SchemaPart part, std::string_view table = "local_message");

// The statements that make a group role for each kind of process, with the least that it needs:
// docs/how-to/least-privilege-roles.md.
[[nodiscard]] std::string print_roles(SchemaPart part, std::string_view table = "local_message");

// Brings the part to this library's version in one transaction, forward only. Idempotent; two at
// once are fine; waits for no lock longer than lock_timeout. A message table that exists already is
// never altered.
[[nodiscard]] Result<SchemaApplied> apply_schema(const Options& options, SchemaPart part);

[[nodiscard]] Result<std::vector<SchemaFinding>> check_schema(const Options& options,
                                                              SchemaPart part);

}  // namespace waybill::postgres
