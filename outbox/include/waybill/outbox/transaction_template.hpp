// Runs business code in one local transaction, and hands its messages over after the commit.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "waybill/outbox/dispatcher.hpp"
#include "waybill/outbox/open_transactions.hpp"
#include "waybill/outbox/outbox.hpp"
#include "waybill/outbox/outcome.hpp"
#include "waybill/test_points.hpp"

namespace waybill {

// A message could not be added; the transaction is rolled back when this leaves the business code.
class AddRefused : public std::runtime_error {
 public:
  explicit AddRefused(Ticket ticket)
      : std::runtime_error(ticket.text), ticket_(std::move(ticket)) {}
  [[nodiscard]] const Ticket& ticket() const noexcept { return ticket_; }

 private:
  Ticket ticket_;
};

// This request was committed before, under the same identifier.
class DuplicateMessage : public AddRefused {
 public:
  using AddRefused::AddRefused;
};

namespace detail {
inline void throw_unless_added(Ticket ticket) {
  if (ticket.result == AddResult::added) return;
  if (ticket.result == AddResult::duplicate) throw DuplicateMessage(std::move(ticket));
  throw AddRefused(std::move(ticket));
}
}  // namespace detail

template <TransactionalConnection Connection>
class TransactionTemplate;

// The open transaction as business code sees it. **Ownership**: valid during the call only.
template <TransactionalConnection Connection>
class Transaction {
 public:
  // The template's own connection, for business statements; never for BEGIN, COMMIT or ROLLBACK,
  // nor for savepoints, which belong to execute_nested(): of another one's rollback the template
  // hears nothing. Its messages would be sent in process though their rows are gone, and on
  // PostgreSQL those that wait for COMMIT would be committed. Where the code needs savepoints of
  // its own, every message of the transaction goes by try_add(), and leave_to_relay() is called.
  [[nodiscard]] Connection& connection() noexcept { return template_.connection_; }

  // Adds a message, or throws: DuplicateMessage, AddRefused, or the driver's own error. Where the
  // INSERT goes with COMMIT, in one round trip (InsertsWithCommit), execute() throws what only the
  // database can tell: DuplicateMessage, and the driver's error.
  void add(Message message) {
    if constexpr (InsertsWithCommit<Connection>) {
      if (template_.waits_for_commit()) {
        WAYBILL_TEST_POINT("outbox.before_insert");
        return detail::throw_unless_added(template_.wait_for_commit(std::move(message)));
      }
    }
    detail::throw_unless_added(try_add(std::move(message)));
  }

  // Several by one INSERT; throws for the first that is not added.
  void add(std::span<const Message> messages) {
    for (Ticket& ticket : try_add(messages)) detail::throw_unless_added(std::move(ticket));
  }

  // The same at once, with the refusal as a value. `not_in_transaction` also makes the transaction
  // rollback-only: there is none any more. What waits for COMMIT is written before, and throws.
  [[nodiscard]] Ticket try_add(Message message) {
    template_.write_waiting();
    WAYBILL_TEST_POINT("outbox.before_insert");
    Ticket ticket = template_.add(message);
    template_.note(ticket, std::move(message));
    return ticket;
  }
  [[nodiscard]] std::vector<Ticket> try_add(std::span<const Message> messages) {
    template_.write_waiting();
    return template_.add(messages);
  }

  // The transaction will roll back, also when the code returns normally.
  void set_rollback_only(std::string_view reason = "set_rollback_only was called") {
    template_.rollback_reason_.emplace(reason);
  }

  // Runs once, after the outermost commit, in order of registration. What it throws is dropped: the
  // transaction has committed already.
  void after_commit(std::function<void()> action) {
    template_.after_commit_.push_back(std::move(action));
  }

  // Nothing of this transaction is sent in process, whatever its routes say.
  void leave_to_relay() noexcept { template_.handover_ = Handover::leave_to_relay; }

 private:
  friend class TransactionTemplate<Connection>;
  explicit Transaction(TransactionTemplate<Connection>& owner) : template_(owner) {}

  TransactionTemplate<Connection>& template_;
};

// One local transaction around business code.
//
//   auto placed = transactions.execute([&](auto& tx) {
//     create_order(tx.connection(), order);
//     tx.add(order_placed(order));
//   });
//
// **Guarantee**: commits when the code returns, rolls back when it throws or asked for it; messages
// are handed to the dispatcher only after a commit that was answered "committed", and nobody waits
// for a broker while a template has another transaction open on this thread. A transaction that the
// database ended on its own is rolled_back, whatever the code returned; on MariaDB, which also ends
// one by committing it (DDL), it is unknown. A nested execute() joins;
// an exception that leaves a nested one rolls the whole back, even if the outer code catches it.
// execute_nested() sets a savepoint instead: its rollback takes its messages and actions along.
// **Ownership**: borrows the connection, the outbox and the dispatcher (null: the relay takes every
// row). It may keep a prepared statement, so it goes before the connection is closed.
// **Errors**: the code's exception is rethrown after the rollback. A COMMIT that the database
// refused is the driver's exception, after the rollback. std::logic_error for a connection with an
// open transaction, and for execute_nested() outside execute().
// **Thread safety**: as the connection's: one thread at a time.
template <TransactionalConnection Connection>
class TransactionTemplate {
  using Adapter = transaction_adapter<Connection>;
  template <class F>
  using ResultOf = std::decay_t<std::invoke_result_t<F, Transaction<Connection>&>>;

 public:
  TransactionTemplate(Connection& connection, const Outbox& outbox,
                      Dispatcher* dispatcher = nullptr)
      : connection_(connection), outbox_(outbox), dispatcher_(dispatcher) {}
  TransactionTemplate(const TransactionTemplate&) = delete;
  TransactionTemplate& operator=(const TransactionTemplate&) = delete;

  template <class F>
  auto execute(F&& code) -> Outcome<ResultOf<F>> {
    if (depth_ > 0) return join(std::forward<F>(code));
    if (Adapter::status(connection_) == TransactionStatus::open) {
      throw std::logic_error(
          "the connection already has an open transaction (end it first: a template begins its "
          "own)");
    }
    forget();
    begin();
    WAYBILL_TEST_POINT("outbox.after_begin");
    open_.emplace(connection_identity(connection_));
    Outcome<ResultOf<F>> outcome;
    try {
      call(outcome, std::forward<F>(code));
    } catch (...) {
      roll_back_quietly();
      throw;
    }
    finish(outcome);
    return outcome;
  }

  // Inside execute(): a part that can roll back alone.
  template <class F>
  auto execute_nested(F&& code) -> Outcome<ResultOf<F>> {
    if (depth_ == 0) throw std::logic_error("execute_nested() belongs inside execute()");
    write_waiting();  // what is not of this part does not roll back with it
    const std::string name = "waybill_" + std::to_string(depth_);
    Adapter::savepoint(connection_, name);
    const Mark mark{messages_.size(), after_commit_.size(),
                    std::exchange(rollback_reason_, std::nullopt)};
    Outcome<ResultOf<F>> outcome;
    try {
      call(outcome, std::forward<F>(code));
    } catch (...) {
      undo(name, mark);
      throw;
    }
    notice_end();
    if (rollback_reason_) {
      refuse(outcome, *rollback_reason_);
      undo(name, mark);
      return outcome;
    }
    rollback_reason_ = mark.rollback_reason;
    Adapter::release(connection_, name);
    return outcome;
  }

 private:
  friend class Transaction<Connection>;

  static constexpr const char* kEndedSilently =
      "the database ended the transaction on its own, before COMMIT (full disk, I/O error or "
      "deadlock): start again";

  static constexpr const char* kFailed =
      "a statement failed, and the database commits nothing after that: start again";

  static constexpr std::size_t kWaitingMax = 100;

  // What an inner part's rollback goes back to.
  struct Mark {
    std::size_t messages;
    std::size_t actions;
    std::optional<std::string> rollback_reason;
  };

  template <class R, class F>
  void call(Outcome<R>& outcome, F&& code) {
    struct Depth {
      explicit Depth(int& depth) : value(depth) { ++value; }
      ~Depth() { --value; }
      Depth(const Depth&) = delete;
      Depth& operator=(const Depth&) = delete;
      int& value;
    } const depth(depth_);
    Transaction<Connection> transaction(*this);
    if constexpr (std::is_void_v<R>) {
      std::forward<F>(code)(transaction);
      outcome.value.emplace();
    } else {
      outcome.value.emplace(std::forward<F>(code)(transaction));
    }
    outcome.state = TransactionState::committed;  // unless what follows says otherwise
  }

  void begin() {
    if constexpr (InsertsWithCommit<Connection>) {
      begun_ = Adapter::begin_for(connection_, outbox_.options().table, kept_);
    } else {
      Adapter::begin(connection_);
    }
  }

  // A row that a trigger dropped would not stop the COMMIT behind it.
  [[nodiscard]] bool waits_for_commit() const noexcept { return begun_.takes_every_row; }

  // The message waits in `waiting_` and, with the others, in `messages_`: in the same order.
  [[nodiscard]] Ticket wait_for_commit(Message message) {
    const TransactionStatus status = Adapter::status(connection_);
    if (std::optional<Ticket> refused = Outbox::not_admitted(connection_, status)) {
      rollback_reason_ = refused->text;
      return *std::move(refused);
    }
    Rendered rendered = outbox_.check(message);
    if (rendered.result != AddResult::added) return {rendered.result, 0, 0, rendered.text};
    if (waiting_.size() == kWaitingMax) write_waiting();
    messages_.push_back({0, std::move(message), begun_.transaction_id});
    waiting_.push_back(std::move(rendered));
    return {AddResult::added, 0, begun_.transaction_id, {}};
  }

  // What waits for COMMIT is written now, as far as it is no duplicate; throws for the first one.
  void write_waiting() {
    if (waiting_.empty()) return;
    std::vector<Message> messages;
    for (std::size_t i = messages_.size() - waiting_.size(); i < messages_.size(); ++i) {
      messages.push_back(std::move(messages_[i].message));
    }
    messages_.resize(messages_.size() - waiting_.size());
    waiting_.clear();
    for (Ticket& ticket : add(messages)) detail::throw_unless_added(std::move(ticket));
  }

  [[nodiscard]] CommitAnswer commit() {
    if constexpr (InsertsWithCommit<Connection>) {
      if (!waiting_.empty()) return insert_and_commit();
    }
    return Adapter::commit(connection_);
  }

  [[nodiscard]] CommitAnswer insert_and_commit() {
    std::vector<std::vector<Value>> values;
    for (const Rendered& rendered : waiting_) values.push_back(rendered.values());
    std::vector<Statement> inserts;
    for (const auto& row : values) inserts.push_back({outbox_.statement_with_commit_, row});
    const InsertsCommitted done = Adapter::insert_and_commit(connection_, inserts, kept_);

    const std::size_t first = messages_.size() - waiting_.size();
    for (std::size_t i = 0; i < done.ids.size(); ++i) messages_[first + i].id = done.ids[i];
    if (done.refused) {
      const Message& message = messages_[first + *done.refused].message;
      Adapter::rollback(connection_);
      detail::throw_unless_added(why_refused(message));
    }
    if (std::count(done.ids.begin(), done.ids.end(), 0) > 0) {
      throw std::logic_error(
          "a trigger or rule that " + outbox_.options().table +
          " did not have before has dropped a message of a transaction that is committed");
    }
    return done.answer;
  }

  // Behind the rollback, why its unique key was taken.
  [[nodiscard]] Ticket why_refused(const Message& message) {
    const auto has_same_id = [&](const CommittedMessage& other) {
      return std::tie(other.message.biz_type, other.message.message_type,
                      other.message.identifier) ==
             std::tie(message.biz_type, message.message_type, message.identifier);
    };
    if (std::count_if(messages_.begin(), messages_.end(), has_same_id) > 1) {
      return Outbox::duplicate(0);
    }
    return outbox_.not_inserted(Outbox::calls_of(connection_), message, false);
  }

  [[nodiscard]] std::vector<Ticket> add(std::span<const Message> messages) {
    std::vector<Ticket> tickets = outbox_.add(connection_, messages);
    for (std::size_t i = 0; i < messages.size(); ++i) note(tickets[i], messages[i]);
    return tickets;
  }

  [[nodiscard]] Ticket add(const Message& message) {
    if constexpr (KeepsStatement<Connection>) {
      return outbox_.add(connection_, message, kept_);
    } else {
      return outbox_.add(connection_, message);
    }
  }

  void note(const Ticket& ticket, Message message) {
    if (ticket.result == AddResult::added) {
      messages_.push_back({ticket.id, std::move(message), ticket.transaction_id});
    } else if (ticket.result == AddResult::not_in_transaction) {
      rollback_reason_ = ticket.text;
    }
  }

  template <class R>
  static void refuse(Outcome<R>& outcome, std::string_view reason,
                     TransactionState state = TransactionState::rolled_back) {
    outcome.value.reset();
    outcome.state = state;
    outcome.reason = reason;
  }

  template <class F>
  auto join(F&& code) -> Outcome<ResultOf<F>> {
    Outcome<ResultOf<F>> outcome;
    try {
      call(outcome, std::forward<F>(code));
    } catch (...) {
      if (!rollback_reason_) rollback_reason_ = "a nested part failed with an exception";
      throw;
    }
    if (rollback_reason_) refuse(outcome, *rollback_reason_);
    return outcome;
  }

  // The code returned, but the database will not commit what it did.
  void notice_end() {
    if (rollback_reason_) return;
    const TransactionStatus status = Adapter::status(connection_);
    if (status == TransactionStatus::idle) rollback_reason_ = kEndedSilently;
    if (status == TransactionStatus::failed) rollback_reason_ = kFailed;
  }

  // Ends the transaction after the business code returned.
  template <class R>
  void finish(Outcome<R>& outcome) {
    notice_end();
    if (rollback_reason_) {
      if (has_unclear_end()) {
        lose(outcome, *rollback_reason_);
      } else {
        refuse(outcome, *rollback_reason_);
      }
      roll_back_quietly();
      return;
    }
    const Steady commit_sent = std::chrono::steady_clock::now();
    CommitAnswer answer = CommitAnswer::unknown;
    try {
      WAYBILL_TEST_POINT("outbox.before_commit");
      answer = commit();
    } catch (...) {
      roll_back_quietly();
      throw;
    }
    if (answer == CommitAnswer::committed) {
      hand_over(commit_sent);
      return;
    }
    if (answer == CommitAnswer::unknown) {
      lose(outcome,
           "the answer to COMMIT was lost, or the server had ended the transaction before");
    } else {
      refuse(outcome, "the database answered COMMIT with a rollback (start again)");
    }
    forget();
  }

  // MariaDB does not say how it ended a transaction on its own: a deadlock rolls it back, a DDL
  // statement commits it.
  [[nodiscard]] bool has_unclear_end() {
    return Adapter::dialect(connection_) == Dialect::mariadb &&
           Adapter::status(connection_) == TransactionStatus::idle;
  }

  // Whether the transaction committed is not known.
  template <class R>
  void lose(Outcome<R>& outcome, std::string_view why) {
    refuse(outcome,
           std::string(why) +
               " (settle it with resolve_unknown on a new connection, or repeat the request with "
               "the same identifier)",
           TransactionState::unknown);
    for (const CommittedMessage& added : messages_) {
      const Message& message = added.message;
      outcome.added.push_back({added.id,
                               {message.biz_type, message.message_type, message.identifier},
                               added.transaction_id});
    }
  }

  void hand_over(Steady commit_sent) noexcept {
    WAYBILL_TEST_POINT("outbox.after_commit");
    std::vector<CommittedMessage> messages = std::move(messages_);
    const std::vector<std::function<void()>> actions = std::move(after_commit_);
    Handover handover = handover_;
    forget();
    if (handover == Handover::as_routed && OpenTransaction::any()) handover = Handover::no_wait;
    if (dispatcher_ != nullptr && !messages.empty()) {
      dispatcher_->committed(std::move(messages), commit_sent, handover);
    }
    for (const auto& action : actions) {
      try {
        action();
      } catch (...) {  // NOLINT(bugprone-empty-catch): documented at after_commit
      }
    }
  }

  void undo(const std::string& savepoint, const Mark& mark) {
    waiting_.clear();  // all of it belongs to this part
    messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(mark.messages),
                    messages_.end());
    after_commit_.erase(after_commit_.begin() + static_cast<std::ptrdiff_t>(mark.actions),
                        after_commit_.end());
    rollback_reason_ = mark.rollback_reason;
    if (Adapter::status(connection_) == TransactionStatus::idle) {
      rollback_reason_ = kEndedSilently;
      return;
    }
    try {
      Adapter::rollback_to(connection_, savepoint);
      Adapter::release(connection_, savepoint);
    } catch (...) {
      rollback_reason_ = "the rollback of a nested part failed";
    }
  }

  // The cause of the rollback matters more than trouble with it; a connection that cannot roll back
  // is broken anyway.
  void roll_back_quietly() noexcept {
    try {
      Adapter::rollback(connection_);
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
    forget();
  }

  void forget() noexcept {
    waiting_.clear();
    messages_.clear();
    after_commit_.clear();
    rollback_reason_.reset();
    handover_ = Handover::as_routed;
    open_.reset();
  }

  Connection& connection_;
  [[no_unique_address]] KeptBy<Connection> kept_{};
  const Outbox& outbox_;
  Dispatcher* dispatcher_;
  int depth_ = 0;
  std::optional<OpenTransaction> open_;
  Begun begun_;
  std::vector<Rendered> waiting_;  // for COMMIT; of the last ones in `messages_`
  std::vector<CommittedMessage> messages_;
  std::vector<std::function<void()>> after_commit_;
  std::optional<std::string> rollback_reason_;
  Handover handover_ = Handover::as_routed;
};

}  // namespace waybill
