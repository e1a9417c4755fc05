// Settles a transaction whose answer to COMMIT was lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/outbox/outbox.hpp"
#include "waybill/outbox/outcome.hpp"

namespace waybill {
namespace detail {

// Compares the row's id, where it is known, and the message id.
template <TransactionalConnection Connection>
[[nodiscard]] bool has_row(Connection& connection, const Outbox& outbox,
                           const AddedMessage& message) {
  using Adapter = transaction_adapter<Connection>;
  const bool numbered = Adapter::dialect(connection) == Dialect::postgres;
  const auto parameter = [&](const char* number) { return numbered ? number : "?"; };
  std::string sql = "SELECT id FROM " + outbox.options().table +
                    " WHERE message_type = " + parameter("$1") +
                    " AND biz_type = " + parameter("$2") + " AND identifier = " + parameter("$3");
  std::vector<Value> values = {std::string_view(message.id.message_type),
                               std::string_view(message.id.biz_type),
                               std::string_view(message.id.identifier)};
  if (message.row_id > 0) {
    sql += std::string(" AND id = ") + parameter("$4");
    values.emplace_back(message.row_id);
  }
  return !Adapter::select(connection, {sql, values}).empty();
}

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
    const bool found = has_row(fresh, outbox, message);
    Adapter::rollback(fresh);
    return found ? CommitAnswer::committed : CommitAnswer::rolled_back;
  } catch (...) {
    Adapter::rollback(fresh);
    throw;
  }
}

// What PostgreSQL says about an id: pg_xact_status, which would fail for one that this server has
// not given out, so that its next id is compared before. With a rollback: a COMMIT would be written
// to the disk, and wait for standbys.
template <TransactionalConnection Connection>
[[nodiscard]] std::string status_of(Connection& fresh, std::uint64_t transaction_id) {
  using Adapter = transaction_adapter<Connection>;
  const std::string transaction = std::to_string(transaction_id);
  const Value values[] = {std::string_view(transaction)};
  Adapter::begin(fresh);
  try {
    const auto rows =
        Adapter::select(fresh, {"SELECT CASE WHEN $1::xid8 < pg_current_xact_id()"
                                " THEN pg_xact_status($1::xid8) ELSE 'yet to come' END",
                                values});
    Adapter::rollback(fresh);
    return rows.empty() ? "" : rows.front().front();
  } catch (...) {
    Adapter::rollback(fresh);
    throw;
  }
}

// PostgreSQL knows whether a transaction is over. But after a crash, or on a standby that was
// promoted, an id whose transaction left nothing in the log is given to another one, or is yet to
// come: the row tells.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer look_when_over(Connection& fresh, const Outbox& outbox,
                                          const AddedMessage& message) {
  if (transaction_adapter<Connection>::status(fresh) != TransactionStatus::idle) {
    throw std::logic_error("resolve_unknown(): the connection has an open transaction (end it)");
  }
  const std::string status = status_of(fresh, message.transaction_id);
  if (status == "aborted") return CommitAnswer::rolled_back;
  if (status != "committed" && status != "yet to come") {
    return CommitAnswer::unknown;  // in progress: the old backend still lives
  }
  return has_row(fresh, outbox, message) ? CommitAnswer::committed : CommitAnswer::rolled_back;
}

// MariaDB keeps no record of transactions, so the row itself tells: committed, or written by a
// transaction that is still open, or gone for good.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer look_for_row(Connection& fresh, const Outbox& outbox,
                                        const AddedMessage& message) {
  const auto is_there = [&](const char* isolation) {
    transaction_adapter<Connection>::select(
        fresh, {std::string("SET TRANSACTION ISOLATION LEVEL ") + isolation, {}});
    return has_row(fresh, outbox, message);
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
// **Guarantee**: committed and rolled_back are final. The row tells, in whatever state it is, once
// the old transaction is over: its message id, and its own id where that is known, for a row id
// that was rolled back is given out again. SQLite: the fresh connection held the write lock while
// it looked. PostgreSQL: the server said that the transaction is over, or that it has none of that
// id yet; when it says "aborted" no row is asked. MariaDB: the row, as committed and as not yet
// committed. But for SQLite nothing is locked, and nobody waits for anybody. `unknown` = at
// `deadline` the old transaction was still open on the server (on PostgreSQL also: another one with
// its id, given out again after a crash), or another writer held the database. For seconds or days,
// not for weeks: a row that was cleaned up reads as rolled back. Ask the server that took the
// transaction, or the one that took its place: a replica may lag behind (PostgreSQL's refuses).
// **Errors**: std::invalid_argument for a message without a row, on PostgreSQL without an xid;
// std::logic_error for a connection with an open transaction, which may look at the past
// (PostgreSQL; MariaDB says so itself); the driver's error when it cannot look.
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
        return detail::look_when_over(fresh, outbox, message);
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
