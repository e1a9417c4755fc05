// How waybill joins a transaction that it did not open: one small trait per driver handle.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
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

// What the *server* says about the connection's transaction. With `unknown` the driver cannot tell;
// the INSERT then asks the server itself.
enum class TransactionStatus { open, idle, failed, unknown };

// What one INSERT did. `transaction_id` is PostgreSQL's xid, else 0.
struct Inserted {
  std::uint64_t rows = 0;
  std::int64_t id = 0;
  std::uint64_t transaction_id = 0;
};

// What COMMIT answered. `unknown`: the answer was lost, the server may or may not have committed.
enum class CommitAnswer { committed, rolled_back, unknown };

// A transaction that was begun for INSERTs which travel with its COMMIT.
struct Begun {
  std::uint64_t transaction_id = 0;  // PostgreSQL's xid
  bool takes_every_row = false;      // no trigger or rule can drop a row of the table unnoticed
};

// What INSERTs that travelled with COMMIT did.
struct InsertsCommitted {
  CommitAnswer answer = CommitAnswer::unknown;
  std::vector<std::int64_t> ids;       // in order, as far as their answers came; 0 for no row
  std::optional<std::size_t> refused;  // this one met a unique key: nothing will commit
};

// One row of text columns, NULL as nothing; for the few look-ups that a writer or an inbox makes.
using TextRow = std::vector<std::string>;

// MariaDB answers an INSERT with an error where other databases count 0 rows. Its adapters throw
// this: nothing of the statement was written, and a transaction that was open goes on.
class InsertRefused : public std::runtime_error {
 public:
  enum class By { unique_key /* error 1062 */, guard /* error 1231 whose text holds kGuardText */ };

  InsertRefused(By by, const std::string& text) : std::runtime_error(text), by_(by) {}
  [[nodiscard]] By by() const noexcept { return by_; }

 private:
  By by_;
};

// The guard inside the outbox's INSERT for MariaDB makes it fail with this text when the server has
// no transaction open. As the name of a mode it ends where a comma would stand, and has none.
inline constexpr std::string_view kGuardText =
    "waybill: needs START TRANSACTION and autocommit = 1 and utf8mb4";

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

// A library's own connection around a C handle, which it gives away: native() is that handle.
template <class Handle>
concept WrapsNativeHandle = requires(const Handle& handle) {
  typename Handle::Native;
  { handle.native() } -> std::same_as<typename Handle::Native>;
};

namespace detail {
struct NothingKept {};
template <class Handle>
struct KeptOf {
  using Type = NothingKept;
};
template <KeepsStatement Handle>
struct KeptOf<Handle> {
  using Type = typename transaction_adapter<Handle>::Kept;
};
}  // namespace detail

// What the handle's adapter keeps; empty for one that keeps nothing.
template <class Handle>
using KeptBy = typename detail::KeptOf<Handle>::Type;

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

// A handle whose driver sends several statements in one round trip: INSERTs go with COMMIT, which
// is not executed when one of them fails. When the connection breaks then, the rows' ids have not
// come; the transaction's, which tells when it is over, is asked for beforehand, with BEGIN.
template <class Handle>
concept InsertsWithCommit = TransactionalConnection<Handle> && KeepsStatement<Handle> &&
    requires(Handle& handle, std::string_view table, std::span<const Statement> inserts,
             typename transaction_adapter<Handle>::Kept& kept) {
  { transaction_adapter<Handle>::begin_for(handle, table, kept) } -> std::same_as<Begun>;
  {
    transaction_adapter<Handle>::insert_and_commit(handle, inserts, kept)
    } -> std::same_as<InsertsCommitted>;
};

// Everything goes to the native handle: include the adapter of that one as well.
template <WrapsNativeHandle Handle>
struct transaction_adapter<Handle> {
  using Native = typename Handle::Native;
  using Adapter = transaction_adapter<Native>;

  static Dialect dialect(const Handle& handle) { return Adapter::dialect(handle.native()); }
  static TransactionStatus status(const Handle& handle) { return Adapter::status(handle.native()); }
  static Inserted insert(const Handle& handle, const Statement& statement) {
    return Adapter::insert(handle.native(), statement);
  }
  static std::vector<TextRow> select(const Handle& handle, const Statement& statement) {
    return Adapter::select(handle.native(), statement);
  }
  static void begin(const Handle& handle) { Adapter::begin(handle.native()); }
  static CommitAnswer commit(const Handle& handle) { return Adapter::commit(handle.native()); }
  static void rollback(const Handle& handle) { Adapter::rollback(handle.native()); }
  static void savepoint(const Handle& handle, std::string_view name) {
    Adapter::savepoint(handle.native(), name);
  }
  static void rollback_to(const Handle& handle, std::string_view name) {
    Adapter::rollback_to(handle.native(), name);
  }
  static void release(const Handle& handle, std::string_view name) {
    Adapter::release(handle.native(), name);
  }
};

}  // namespace waybill
