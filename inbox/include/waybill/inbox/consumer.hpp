// The consumer side: each message takes effect once, in a local transaction with its inbox row.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <stop_token>
#include <string>
#include <utility>

#include "waybill/inbox/consumer_loop.hpp"
#include "waybill/transaction.hpp"

namespace waybill::inbox {

// Runs inside the consumer's open transaction. Writes through `connection` only, and neither
// commits nor rolls back.
template <TransactionalConnection Connection>
using Handler = std::function<HandlerResult(Connection& connection, const Delivery& delivery)>;

// An adapter may send BEGIN and the INSERT behind it, prepared once, in one round trip.
template <class Connection>
concept BeginsWithInsert = KeepsStatement<Connection> &&
    requires(Connection& connection, const Statement& statement,
             typename transaction_adapter<Connection>::Kept& kept) {
  {
    transaction_adapter<Connection>::begin_and_insert(connection, statement, kept)
    } -> std::same_as<Inserted>;
};

// One handler per message type; a type without one is refused for good, with a reason that names
// it.
//
//   Handlers<sqlite3*> handlers{{"order.placed", add_points}};
//
// **Thread safety**: calls may overlap if the handlers' may.
template <TransactionalConnection Connection>
class Handlers {
 public:
  Handlers(std::initializer_list<std::pair<const std::string, Handler<Connection>>> handlers)
      : handlers_(handlers) {}

  HandlerResult operator()(Connection& connection, const Delivery& delivery) const {
    const auto found = handlers_.find(delivery.message_type);
    if (found == handlers_.end()) {
      return HandlerResult::failed("no handler for message type '" + delivery.message_type + "'");
    }
    return found->second(connection, delivery);
  }

 private:
  std::map<std::string, Handler<Connection>, std::less<>> handlers_;
};

// Receives messages and applies each exactly once to the consumer's own database.
//
//   Consumer<sqlite3*> consumer(connection, *inbox, *subscriber, {.consumer = "points"},
//                               Handlers<sqlite3*>{{"order.placed", add_points}});
//   consumer.run(stop_token);
//
// **Guarantee**: the handler's writes and the inbox row commit together or not at all; the broker
// is told after the commit; a duplicate has no effect and is settled and confirmed again. A handler
// that throws is tried `attempts_max` times, then its message is parked and confirmed as failed, as
// are malformed ids and what the handler refuses. When the answer to COMMIT is lost, the message
// goes back to the broker and the inbox decides on redelivery. A parked message is handled anew
// when an operator replays it (its epoch is newer then). A message given back takes the later ones
// of its key, of the same batch, with it. Writes outside the connection (mails, calls) are not
// covered: they may happen more than once.
// **Ownership**: borrows connection, store and subscriber; owns the handler. It may keep a prepared
// statement, so it goes before the connection is closed.
// **Errors**: run() and run_once() refuse bad options (fix_call); trouble with broker or database
// is logged, waited out with bounded waits and tried again, for as long as there is no stop.
// **Thread safety**: confined to one thread, with the connection and the subscriber; stats() from
// any. For parallelism run several consumers, each with its own connection and subscriber.
template <TransactionalConnection Connection>
class Consumer {
 public:
  Consumer(Connection& connection, InboxStore& store, Subscriber& subscriber,
           ConsumerOptions options, Handler<Connection> handler)
      : transaction_(connection, std::move(handler)),
        loop_(transaction_, store, subscriber, std::move(options)) {}
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Works until `stop`; the message in hand is finished or left to the broker.
  [[nodiscard]] Status run(std::stop_token stop) { return loop_.run(stop); }

  // One receive of at most `wait` and what came of it; answers how many deliveries it took.
  [[nodiscard]] Result<std::size_t> run_once(std::stop_token stop, Millis wait) {
    return loop_.run_once(stop, wait);
  }

  [[nodiscard]] ConsumerStats stats() const noexcept { return loop_.stats(); }

 private:
  using Adapter = transaction_adapter<Connection>;

  class Adopted final : public LocalTransaction {
   public:
    Adopted(Connection& connection, Handler<Connection> handler)
        : connection_(connection), handler_(std::move(handler)) {}
    Dialect dialect() override { return Adapter::dialect(connection_); }
    void begin() override { Adapter::begin(connection_); }
    Inserted insert_inbox_row(const Statement& statement) override {
      return insert(statement, kept_);
    }
    Inserted begin_and_insert_inbox_row(const Statement& statement) override {
      return begin_and_insert(statement, kept_);
    }
    Inserted begin_and_insert_inbox_rows(const Statement& statement) override {
      return begin_and_insert(statement, kept_of_several_);
    }
    std::vector<TextRow> select(const Statement& statement) override {
      return Adapter::select(connection_, statement);
    }
    HandlerResult handle(const Delivery& delivery) override {
      return handler_(connection_, delivery);
    }
    TransactionStatus status() override { return Adapter::status(connection_); }
    CommitAnswer commit() override { return Adapter::commit(connection_); }
    void rollback() override { Adapter::rollback(connection_); }

   private:
    using Kept = KeptBy<Connection>;

    Inserted insert(const Statement& statement, [[maybe_unused]] Kept& kept) {
      if constexpr (KeepsStatement<Connection>) {
        return Adapter::insert(connection_, statement, kept);
      } else {
        return Adapter::insert(connection_, statement);
      }
    }

    Inserted begin_and_insert(const Statement& statement, Kept& kept) {
      if constexpr (BeginsWithInsert<Connection>) {
        return Adapter::begin_and_insert(connection_, statement, kept);
      } else {
        Adapter::begin(connection_);
        return insert(statement, kept);
      }
    }

    Connection& connection_;
    Kept kept_{};
    Kept kept_of_several_{};
    Handler<Connection> handler_;
  };

  Adopted transaction_;
  ConsumerLoop loop_;
};

}  // namespace waybill::inbox
