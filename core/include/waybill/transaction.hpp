// How waybill joins a transaction that it did not open: one small trait per driver handle.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace waybill {

enum class Dialect { sqlite, postgres, mariadb };

using Value = std::variant<std::monostate /*NULL*/, std::int64_t, std::string_view>;

// SQL text and its parameters in order. **Ownership**: borrows both.
struct Statement {
  std::string_view sql;
  std::span<const Value> values;
};

// What the *server* says about the connection's transaction.
enum class TransactionStatus { open, idle, failed, unknown /* the driver cannot tell */ };

// What one INSERT did. `transaction_id` is PostgreSQL's xid, else 0.
struct Inserted {
  std::uint64_t rows = 0;
  std::int64_t id = 0;
  std::uint64_t transaction_id = 0;
};

// What COMMIT answered. `unknown`: the answer was lost, the server may or may not have committed.
enum class CommitAnswer { committed, rolled_back, unknown };

// One row of text columns, NULL as nothing; for the few look-ups that a writer or an inbox makes.
using TextRow = std::vector<std::string>;

// Specialise for a driver's handle; a trait rather than overloads, because C handles are global
// types. All functions throw the driver's own error; none retries.
template <class Handle>
struct transaction_adapter;

// A handle on which messages can be added inside the caller's open transaction.
template <class Handle>
concept AdoptableTransaction = requires(Handle& handle, const Statement& statement) {
  { transaction_adapter<Handle>::dialect(handle) } -> std::same_as<Dialect>;
  { transaction_adapter<Handle>::status(handle) } -> std::same_as<TransactionStatus>;
  { transaction_adapter<Handle>::insert(handle, statement) } -> std::same_as<Inserted>;
  { transaction_adapter<Handle>::select(handle, statement) } -> std::same_as<std::vector<TextRow>>;
};

// An adapter may keep the prepared INSERT for the next time: `Kept` holds it, and goes before its
// connection does.
template <class Handle>
concept KeepsStatement = AdoptableTransaction<Handle> &&
    requires(Handle& handle, const Statement& statement,
             typename transaction_adapter<Handle>::Kept& kept) {
  { transaction_adapter<Handle>::insert(handle, statement, kept) } -> std::same_as<Inserted>;
};

// A handle on which a template can also begin and end transactions.
template <class Handle>
concept TransactionalConnection = AdoptableTransaction<Handle> &&
    requires(Handle& handle, std::string_view savepoint) {
  { transaction_adapter<Handle>::begin(handle) } -> std::same_as<void>;
  { transaction_adapter<Handle>::commit(handle) } -> std::same_as<CommitAnswer>;
  { transaction_adapter<Handle>::rollback(handle) } -> std::same_as<void>;
  { transaction_adapter<Handle>::savepoint(handle, savepoint) } -> std::same_as<void>;
  { transaction_adapter<Handle>::rollback_to(handle, savepoint) } -> std::same_as<void>;
  { transaction_adapter<Handle>::release(handle, savepoint) } -> std::same_as<void>;
};

}  // namespace waybill
