// Settles a transaction whose answer to COMMIT was lost.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "waybill/clock.hpp"
#include "waybill/outbox/outbox.hpp"
#include "waybill/outbox/outcome.hpp"

namespace waybill {
namespace detail {

// SQLite: whoever holds the write lock knows that the old transaction is over. Nothing = it could
// not be had.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer look_under_write_lock(Connection& fresh, const Outbox& outbox,
                                                 const AddedMessage& message) {
  using Adapter = transaction_adapter<Connection>;
  try {
    Adapter::begin(fresh);
  } catch (const std::runtime_error&) {
    return CommitAnswer::unknown;
  }
  try {
    const Value values[] = {message.row_id, std::string_view(message.id.biz_type),
                            std::string_view(message.id.message_type),
                            std::string_view(message.id.identifier)};
    const std::string sql = "SELECT id FROM " + outbox.options().table +
                            " WHERE id = ? AND biz_type = ? AND message_type = ?"
                            " AND identifier = ?";
    const bool found = !Adapter::select(fresh, {sql, values}).empty();
    Adapter::rollback(fresh);
    return found ? CommitAnswer::committed : CommitAnswer::rolled_back;
  } catch (...) {
    Adapter::rollback(fresh);
    throw;
  }
}

// PostgreSQL remembers what became of a transaction.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer ask_for_status(Connection& fresh, const AddedMessage& message) {
  const std::string transaction = std::to_string(message.transaction_id);
  const Value values[] = {std::string_view(transaction)};
  const auto rows =
      transaction_adapter<Connection>::select(fresh, {"SELECT pg_xact_status($1::xid8)", values});
  const std::string status = rows.empty() ? "" : rows.front().front();
  if (status == "committed") return CommitAnswer::committed;
  if (status == "aborted") return CommitAnswer::rolled_back;
  return CommitAnswer::unknown;  // in progress: the old backend still lives
}

// MariaDB keeps no record of transactions, so the row itself tells: committed, or written by a
// transaction that is still open, or gone for good.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer look_for_row(Connection& fresh, const Outbox& outbox,
                                        const AddedMessage& message) {
  const Value values[] = {message.row_id, std::string_view(message.id.biz_type),
                          std::string_view(message.id.message_type),
                          std::string_view(message.id.identifier)};
  const std::string sql = "SELECT id FROM " + outbox.options().table +
                          " WHERE id = ? AND biz_type = ? AND message_type = ? AND identifier = ?";
  const auto is_there = [&](const char* isolation) {
    using Adapter = transaction_adapter<Connection>;
    Adapter::select(fresh, {std::string("SET TRANSACTION ISOLATION LEVEL ") + isolation, {}});
    return !Adapter::select(fresh, {sql, values}).empty();
  };
  if (is_there("READ COMMITTED")) return CommitAnswer::committed;
  return is_there("READ UNCOMMITTED") ? CommitAnswer::unknown : CommitAnswer::rolled_back;
}

}  // namespace detail

// Says on a *fresh* connection whether the transaction that added `message` committed. Leaves
// nothing behind; a retry with the same identifier works afterwards.
//
//   if (placed.unknown()) {
//     answer = resolve_unknown(fresh, outbox, placed.added.front(), now + std::chrono::seconds(2));
//   }
//
// **Guarantee**: committed and rolled_back are final. SQLite: the fresh connection held the write
// lock while it looked, so that the old transaction is over; row id and message id are compared,
// for a row id that was rolled back is given out again. PostgreSQL: the server's own record of the
// transaction. MariaDB: the row, as committed and as not yet committed; nothing is locked, and
// nobody waits for anybody. `unknown` = at `deadline` the old transaction was still open on the
// server, or another writer held the database. Ask the server that took the transaction, or the one
// that took its place: a replica may lag behind.
// **Errors**: std::invalid_argument for a message without a row, on PostgreSQL without an xid; the
// driver's error when it cannot look.
// **Thread safety**: as the connection's.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer resolve_unknown(Connection& fresh, const Outbox& outbox,
                                           const AddedMessage& message, Steady deadline) {
  constexpr Millis kPause{5};
  const Dialect dialect = transaction_adapter<Connection>::dialect(fresh);
  if (dialect == Dialect::postgres ? message.transaction_id == 0 : message.row_id <= 0) {
    throw std::invalid_argument("resolve_unknown(): the message is of no transaction");
  }
  const auto look = [&] {
    switch (dialect) {
      case Dialect::sqlite:
        return detail::look_under_write_lock(fresh, outbox, message);
      case Dialect::postgres:
        return detail::ask_for_status(fresh, message);
      case Dialect::mariadb:
        return detail::look_for_row(fresh, outbox, message);
    }
    throw std::logic_error("unknown dialect");
  };
  for (;;) {
    const CommitAnswer answer = look();
    if (answer != CommitAnswer::unknown) return answer;
    if (std::chrono::steady_clock::now() + kPause > deadline) return CommitAnswer::unknown;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace waybill
