// Adds messages to the caller's own open transaction.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/message.hpp"
#include "waybill/outbox/open_transactions.hpp"
#include "waybill/transaction.hpp"

namespace waybill {

struct OutboxOptions {
  std::string table = "local_message";  // 1…48 of [a-z0-9_], not starting with a digit
  // As stored, so that base64 counts; 1 byte … 1 GiB.
  std::size_t content_bytes_max = kContentBytesMaxDefault;
  // The table has no `headers` column: key, traceparent and binary content are refused.
  bool eight_columns = false;
};

enum class AddResult {
  added,
  duplicate,           // this message id is in the table already; the transaction is still usable
  not_in_transaction,  // no open transaction, not the template's, or the database ended it silently
  too_large,           // content over content_bytes_max, or a message id over 768 bytes
  not_text,            // a field is no UTF-8 text, or holds NUL
  invalid,             // a field is empty, too long, or needs the `headers` column
};

[[nodiscard]] std::string_view to_string(AddResult result) noexcept;

// What a rendered INSERT does about a message id that is in the table already.
enum class OnDuplicate {
  skip,  // nothing: it affects no row, and the transaction goes on
  fail,  // it is an error: PostgreSQL 23505, MariaDB 1062, SQLite 2067; then a COMMIT behind it in
         // the same pipeline of PostgreSQL is not executed
};

// What became of one add().
struct Ticket {
  AddResult result = AddResult::invalid;
  std::int64_t id = 0;               // the row, when added
  std::uint64_t transaction_id = 0;  // PostgreSQL's xid, else 0
  std::string text;                  // why it was refused, with a hint; else empty
};

// An INSERT as data, for drivers without an adapter. **Ownership**: owns its texts.
struct Rendered {
  AddResult result = AddResult::added;  // anything else: refused, `text` says why, there is no SQL
  std::string text;
  std::string sql;
  std::vector<std::optional<std::string>> parameters;  // in order; nothing is NULL

  // The same for an adapter; they point into this object.
  [[nodiscard]] std::vector<Value> values() const;
};

template <TransactionalConnection Connection>
class TransactionTemplate;

// Writes message rows, and does nothing else: no thread, no network call, no second statement on
// the happy path.
//
//   Ticket ticket = outbox.add(db, {.message_type = "order.placed", .biz_type = "order",
//                                   .identifier = "A-17", .content = json});
//
// **Guarantee**: the row commits with the caller's transaction, or not at all. A connection without
// an open transaction is refused before anything is written; one whose transaction the database
// ended during the INSERT is reported, so that the message cannot commit alone. While a
// TransactionTemplate has a transaction open on this thread, any other connection is refused.
// **Errors**: a refusal is the Ticket's result; the driver's own exceptions pass through unchanged,
// unless the database also ended the transaction: then their text is part of the refusal.
// **Thread safety**: immutable, usable from any thread; the handle is used by the calling thread
// only.
class Outbox {
 public:
  // Throws std::invalid_argument for a table name or a limit out of bounds.
  explicit Outbox(OutboxOptions options = {});

  template <AdoptableTransaction Handle>
  [[nodiscard]] Ticket add(Handle& handle, const Message& message) const;
  // The same with the statement prepared once. **Ownership**: `kept` belongs to this connection and
  // goes before it is closed.
  template <KeepsStatement Handle>
  [[nodiscard]] Ticket add(Handle& handle, const Message& message,
                           typename transaction_adapter<Handle>::Kept& kept) const;

  // Several messages by one INSERT (for each 1000), one ticket for each in their order. A message
  // that is refused for itself, or is a duplicate, keeps none of the others out; of two with the
  // same id in one call the later is the duplicate. `not_in_transaction` is the answer for all.
  template <AdoptableTransaction Handle>
  [[nodiscard]] std::vector<Ticket> add(Handle& handle, std::span<const Message> messages) const;

  // The same INSERT as data. PostgreSQL: on 0 affected rows the message is a duplicate, or the
  // guard inside the statement saw no open transaction (with `fail`: error 22P02). MariaDB: error
  // 1062 is a duplicate, error 1231 with kGuardText the guard, which preparing it asks as well; the
  // transaction goes on. SQLite: 0 affected rows is a duplicate, and the caller makes sure that a
  // transaction is open: its statement has no guard.
  [[nodiscard]] Rendered render(Dialect dialect, const Message& message,
                                OnDuplicate on_duplicate = OnDuplicate::skip) const;
  // One INSERT for 1…1000 messages; it returns (id, message_type, biz_type, identifier) of each row
  // that it wrote. The first message that is refused for itself refuses all.
  [[nodiscard]] Rendered render(Dialect dialect, std::span<const Message> messages) const;

  [[nodiscard]] const OutboxOptions& options() const noexcept { return options_; }

 private:
  template <TransactionalConnection Connection>
  friend class TransactionTemplate;

  template <AdoptableTransaction Handle, class Insert>
  [[nodiscard]] Ticket add_by(Handle& handle, const Message& message, const Insert& insert) const;

  // A handle as what is no template sees it.
  struct Calls {
    Dialect dialect;
    const void* connection;
    std::function<TransactionStatus()> status;
    std::function<std::vector<TextRow>(const Statement&)> select;
  };
  template <AdoptableTransaction Handle>
  [[nodiscard]] static Calls calls_of(Handle& handle);
  class Batch;
  void add_batch(const Calls& calls, std::span<const Message> messages,
                 std::vector<Ticket>& tickets) const;
  void write(Batch& batch, const Calls& calls, TransactionStatus before) const;

  // Why nothing can be added now; nothing when it can.
  template <AdoptableTransaction Handle>
  [[nodiscard]] static std::optional<Ticket> not_admitted(Handle& handle, TransactionStatus status);
  [[nodiscard]] const std::string& statement(Dialect dialect, TransactionStatus status) const;
  // Refused for itself, or its parameters; no SQL yet.
  [[nodiscard]] Rendered check(const Message& message) const;
  // What became of a message whose INSERT wrote no row.
  [[nodiscard]] Ticket not_inserted(const Calls& calls, const Message& message, bool guarded) const;
  [[nodiscard]] Ticket refused(const InsertRefused& refusal, const Calls& calls,
                               const Message& message) const;
  [[nodiscard]] static Ticket not_open(TransactionStatus status);
  [[nodiscard]] static Ticket foreign_connection();
  [[nodiscard]] static Ticket ended_silently(TransactionStatus status, std::string_view cause);
  [[nodiscard]] static Ticket refused_by_guard(const Calls& calls);
  [[nodiscard]] static Ticket kept_out();
  [[nodiscard]] static Ticket duplicate(std::int64_t id);

  OutboxOptions options_;
  std::array<std::string, 3> statements_;  // by dialect
  std::array<std::string, 3> guarded_statements_;
  std::array<std::string, 3> failing_statements_;  // guarded as well
  std::string statement_with_commit_;              // PostgreSQL's in a TransactionTemplate
};

template <AdoptableTransaction Handle>
Ticket Outbox::add(Handle& handle, const Message& message) const {
  return add_by(handle, message, [&](const Statement& statement) {
    return transaction_adapter<Handle>::insert(handle, statement);
  });
}

template <KeepsStatement Handle>
Ticket Outbox::add(Handle& handle, const Message& message,
                   typename transaction_adapter<Handle>::Kept& kept) const {
  return add_by(handle, message, [&](const Statement& statement) {
    return transaction_adapter<Handle>::insert(handle, statement, kept);
  });
}

template <AdoptableTransaction Handle, class Insert>
Ticket Outbox::add_by(Handle& handle, const Message& message, const Insert& insert) const {
  using Adapter = transaction_adapter<Handle>;
  const TransactionStatus before = Adapter::status(handle);
  if (std::optional<Ticket> refused = not_admitted(handle, before)) return *refused;
  const Dialect dialect = Adapter::dialect(handle);
  const bool guarded = before == TransactionStatus::unknown;
  const Rendered rendered = check(message);
  if (rendered.result != AddResult::added) return {rendered.result, 0, 0, rendered.text};

  const std::vector<Value> values = rendered.values();
  Inserted inserted;
  try {
    inserted = insert(Statement{statement(dialect, before), values});
  } catch (const InsertRefused& refusal) {
    return refused(refusal, calls_of(handle), message);
  } catch (const std::exception& error) {
    if (Adapter::status(handle) != TransactionStatus::idle) throw;
    return ended_silently(TransactionStatus::idle, error.what());
  }
  const TransactionStatus after = Adapter::status(handle);
  const bool by_guard = guarded && inserted.rows == 0;  // it was not open at the beginning
  if (after == TransactionStatus::failed || (after == TransactionStatus::idle && !by_guard)) {
    return ended_silently(after, {});
  }
  if (inserted.rows == 1) return {AddResult::added, inserted.id, inserted.transaction_id, {}};
  return not_inserted(calls_of(handle), message, guarded);
}

template <AdoptableTransaction Handle>
std::optional<Ticket> Outbox::not_admitted(Handle& handle, TransactionStatus status) {
  if (status == TransactionStatus::idle || status == TransactionStatus::failed) {
    return not_open(status);
  }
  if (!OpenTransaction::admits(connection_identity(handle))) return foreign_connection();
  return std::nullopt;
}

template <AdoptableTransaction Handle>
std::vector<Ticket> Outbox::add(Handle& handle, std::span<const Message> messages) const {
  constexpr std::size_t kRowsMax = 1000;
  const Calls calls = calls_of(handle);
  std::vector<Ticket> tickets;
  tickets.reserve(messages.size());
  for (; !messages.empty(); messages = messages.subspan(std::min(kRowsMax, messages.size()))) {
    add_batch(calls, messages.first(std::min(kRowsMax, messages.size())), tickets);
  }
  return tickets;
}

template <AdoptableTransaction Handle>
Outbox::Calls Outbox::calls_of(Handle& handle) {
  using Adapter = transaction_adapter<Handle>;
  return {Adapter::dialect(handle), connection_identity(handle),
          [&handle] { return Adapter::status(handle); },
          [&handle](const Statement& statement) { return Adapter::select(handle, statement); }};
}

}  // namespace waybill
