// sqlite.add, sqlite.business_tx: what a message costs a business transaction.
#include <chrono>
#include <string>

#include "bench.hpp"
#include "shop.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/outbox/outbox.hpp"

namespace waybill::bench {
namespace {

constexpr int kTransactions = 1500;
constexpr int kRounds = 7;
const std::string kContent(256, 'x');

// Transactions a second of `write(order id)` between BEGIN and COMMIT.
template <class Write>
double rate_of(sqlite3* db, std::int64_t& next_order, const Write& write) {
  Prepared begin(db, "BEGIN IMMEDIATE");
  Prepared commit(db, "COMMIT");
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < kTransactions; ++i) {
    begin.execute();
    write(next_order++);
    commit.execute();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  return kTransactions / took.count();
}

std::vector<Measurement> add() {
  const Scratch scratch;
  const std::string path = scratch.file("shop.db");
  create_shop(path);
  const Database db = open_database(path);
  sqlite3* handle = db.get();
  std::int64_t next_order = 1;

  OrderWriter orders(handle);
  const Outbox outbox;
  Prepared by_hand(handle,
                   "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
                   " VALUES('order.placed', 'order', ?, ?, 'INIT')");

  transaction_adapter<sqlite3*>::Kept kept;
  const auto ours = [&](std::int64_t order) {
    orders.write(order);
    const Message message = {.message_type = "order.placed",
                             .biz_type = "order",
                             .identifier = std::to_string(order),
                             .content = kContent,
                             .key = {},
                             .traceparent = {}};
    const Ticket ticket = outbox.add(handle, message, kept);
    if (ticket.result != AddResult::added) throw std::runtime_error(ticket.text);
  };
  const auto hand_written = [&](std::int64_t order) {
    orders.write(order);
    const std::string identifier = std::to_string(order);
    by_hand.bind(1, identifier).bind(2, kContent).execute();
  };
  const auto bare = [&](std::int64_t order) { orders.write(order); };

  return {compare(
              "sqlite.add", "tx/s", "the same INSERT written by hand", kRounds,
              [&] { return rate_of(handle, next_order, ours); },
              [&] { return rate_of(handle, next_order, hand_written); }),
          compare(
              "sqlite.business_tx", "tx/s", "the transaction without a message", kRounds,
              [&] { return rate_of(handle, next_order, ours); },
              [&] { return rate_of(handle, next_order, bare); })};
}

}  // namespace

std::vector<Benchmark> sqlite_benchmarks() {
  return {{{"sqlite.add", "sqlite.business_tx"}, add}};
}

}  // namespace waybill::bench
