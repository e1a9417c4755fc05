// The SQL of the outbox, for each dialect.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "waybill/outbox/outbox.hpp"
#include "waybill/transaction.hpp"

namespace waybill {

// Inside the statement, for drivers that cannot tell whether a transaction is open.
enum class Guard { none, in_statement };

// One message: what PostgreSQL returns is the row's id and, where a duplicate is skipped, the
// transaction's.
[[nodiscard]] std::string insert_statement(Dialect dialect, const OutboxOptions& options,
                                           Guard guard, OnDuplicate on_duplicate);

// Several messages: returns (id, message_type, biz_type, identifier) of each row that it wrote, and
// from PostgreSQL the transaction's id.
[[nodiscard]] std::string insert_statement(Dialect dialect, const OutboxOptions& options,
                                           Guard guard, std::size_t messages);

// The rows (id, message_type, biz_type, identifier) of so many messages that are there already.
[[nodiscard]] std::string find_statement(Dialect dialect, const std::string& table,
                                         std::size_t messages);

// Why MariaDB's guard refused, as one text.
inline constexpr std::string_view kMariadbRefusal =
    "SELECT CASE WHEN @@autocommit = 0 THEN 'the session is in autocommit = 0, where the server"
    " begins a new transaction unasked after it ended one; nothing was written (SET autocommit = 1,"
    " and START TRANSACTION)'"
    " WHEN @@in_transaction = 0 THEN 'the server has no open transaction: it was never begun, or a"
    " deadlock or a DDL statement ended it; nothing was written (start again from START"
    " TRANSACTION)'"
    " ELSE CONCAT('the session speaks ', @@character_set_client, ', ', @@character_set_connection,"
    " ', which cannot carry every message; nothing was written (SET NAMES utf8mb4)') END";

}  // namespace waybill
