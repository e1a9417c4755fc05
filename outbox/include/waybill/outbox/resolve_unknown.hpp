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

// Says on a *fresh* connection whether the transaction that added `message` committed. Leaves
// nothing behind; a retry with the same identifier works afterwards.
//
//   if (placed.unknown()) {
//     answer = resolve_unknown(fresh, outbox, placed.added.front(), now + std::chrono::seconds(2));
//   }
//
// **Guarantee**: committed and rolled_back are final: the fresh connection held the database's
// write lock while it looked, so that the old transaction is over. Row id and message id are
// compared: a row id that was rolled back is given out again. `unknown` = another writer, perhaps
// the old transaction, still held the database at `deadline`.
// **Errors**: std::logic_error for a database other than SQLite, whose BEGIN excludes nobody;
// std::invalid_argument for a message without a row; the driver's error when it cannot look.
// **Thread safety**: as the connection's.
template <TransactionalConnection Connection>
[[nodiscard]] CommitAnswer resolve_unknown(Connection& fresh, const Outbox& outbox,
                                           const AddedMessage& message, Steady deadline) {
  using Adapter = transaction_adapter<Connection>;
  constexpr Millis kPause{5};
  if (Adapter::dialect(fresh) != Dialect::sqlite) {
    throw std::logic_error("resolve_unknown() settles SQLite transactions only");
  }
  if (message.row_id <= 0) throw std::invalid_argument("resolve_unknown(): there is no row id");
  for (;;) {
    try {
      Adapter::begin(fresh);
      break;
    } catch (const std::runtime_error&) {
      if (std::chrono::steady_clock::now() + kPause > deadline) return CommitAnswer::unknown;
    }
    std::this_thread::sleep_for(kPause);
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

}  // namespace waybill
