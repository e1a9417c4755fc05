// waybill's tables in a MariaDB database: the message store, the inbox store, and their schema.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"
#include "waybill/stores/schema.hpp"

namespace waybill::mariadb {

// Time-outs count in whole seconds, rounded up, 1 s at least.
struct Options {
  // mariadb://user[:password]@host[:port]/database[?name=value&…]; parts are percent-encoded, the
  // parameters are in drivers/mariadb/README.md.
  std::string url;
  std::string table = "local_message";  // 1…48 of [a-z0-9_], in the URL's database
  Millis connect_timeout{2000};
  // The longest wait for one answer; then the connection is given up, and the next call connects
  // anew. The server ends a statement and an idle transaction after the same time. At most the
  // relay's lease ttl, so that no black-holed write outlives a lease.
  Millis answer_timeout{2000};
  Millis lock_timeout{1000};  // the longest wait for one row or table; then Remedy::retry
};

// Looks whether everything is there; creates nothing.
// **Errors**: fix_call for a bad URL, a refused login, a server that is no MariaDB 10.6 or newer, a
// missing database, another schema version, missing tables, columns that do not compare as bytes or
// cannot hold every text; retry for a server that cannot be reached, is read-only or has no
// connection left.
// **Thread safety**: from any thread. Every session has a connection of its own, and connects anew
// by itself.
[[nodiscard]] Result<std::unique_ptr<MessageStore>> open_message_store(const Options& options);
[[nodiscard]] Result<std::unique_ptr<InboxStore>> open_inbox_store(const Options& options);

using store::SchemaApplied;
using store::SchemaFinding;
using store::SchemaPart;

// The statements that `apply_schema` would run on an empty database.
[[nodiscard]] std::string print_schema(SchemaPart part, std::string_view table = "local_message");

// The statements that make a role for each kind of process, with the least that it needs:
// docs/how-to/least-privilege-roles.md.
[[nodiscard]] std::string print_roles(SchemaPart part, std::string_view table = "local_message");

// Brings the part to this library's version, forward only. Idempotent; two at once are fine.
// MariaDB commits every table by itself: what was cut off halfway is finished by the next run. A
// message table that exists already is never altered.
[[nodiscard]] Result<SchemaApplied> apply_schema(const Options& options, SchemaPart part);

[[nodiscard]] Result<std::vector<SchemaFinding>> check_schema(const Options& options,
                                                              SchemaPart part);

}  // namespace waybill::mariadb
