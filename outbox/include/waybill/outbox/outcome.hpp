// What became of a local transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "waybill/message_id.hpp"

namespace waybill {

enum class TransactionState {
  committed,
  rolled_back,  // nothing of it remains
  unknown,      // the answer to COMMIT was lost, or MariaDB ended it before: look before repeating
};

// A message that a transaction added: its row, if that transaction committed.
struct AddedMessage {
  std::int64_t row_id = 0;  // 0 when its answer was lost with that of COMMIT (PostgreSQL)
  MessageId id;
  std::uint64_t transaction_id = 0;  // PostgreSQL's xid, else 0
};

// The answer of TransactionTemplate::execute. From a joined or nested call, `committed` means: as
// far as the outermost commits.
template <class T>
struct [[nodiscard]] Outcome {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  TransactionState state = TransactionState::rolled_back;
  std::optional<Value> value;       // there exactly when committed
  std::string reason;               // why it is not committed, else empty
  std::vector<AddedMessage> added;  // with `unknown` only: what resolve_unknown() needs

  [[nodiscard]] bool committed() const noexcept { return state == TransactionState::committed; }
  [[nodiscard]] bool rolled_back() const noexcept { return state == TransactionState::rolled_back; }
  [[nodiscard]] bool unknown() const noexcept { return state == TransactionState::unknown; }
};

}  // namespace waybill
