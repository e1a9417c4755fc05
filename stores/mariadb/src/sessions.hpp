// The sessions of this store; each owns a connection.
#pragma once

#include <memory>

#include "connection.hpp"
#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"

namespace waybill::mariadb {

// Throw Failure when the database or its schema is not as it must be.
[[nodiscard]] std::unique_ptr<RelaySession> make_relay_session(const Options& options);
[[nodiscard]] std::unique_ptr<ConfirmSession> make_confirm_session(const Options& options);
[[nodiscard]] std::unique_ptr<ConsoleSession> make_console_session(const Options& options);
[[nodiscard]] std::unique_ptr<InboxSession> make_inbox_session(const Options& options);

// Checks what every session needs: the schema's version, the tables. Throws Failure.
void verify(Connection& connection, const Options& options, SchemaPart part);
[[nodiscard]] std::int64_t read_schema_version(Connection& connection, SchemaPart part);

}  // namespace waybill::mariadb
