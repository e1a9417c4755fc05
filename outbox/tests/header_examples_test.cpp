// The examples of the public headers, as they stand there, around a small shop.
#include <gtest/gtest.h>

#include <string>

#include "fake_broker.hpp"
#include "fake_store.hpp"
#include "shop_database.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/outbox/dispatcher.hpp"
#include "waybill/outbox/outbox.hpp"
#include "waybill/outbox/resolve_unknown.hpp"
#include "waybill/outbox/transaction_template.hpp"

// The examples leave out the members that they do not need.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace waybill::testing {
namespace {

const std::string json = R"({"points":42})";

struct Order {
  std::string id;
};

void create_order(sqlite3* database, const Order& order) {
  insert_order(database, order.id);
}

Message order_placed(const Order& order) {
  return {
      .message_type = "order.placed", .biz_type = "order", .identifier = order.id, .content = json};
}

TEST(HeaderExamples, outbox) {
  const ShopDatabase shop;
  const Sqlite owner = shop.open();
  sqlite3* db = owner.get();
  const Outbox outbox;
  run(db, "BEGIN");
  Ticket ticket = outbox.add(
      db,
      {.message_type = "order.placed", .biz_type = "order", .identifier = "A-17", .content = json});
  run(db, "COMMIT");
  EXPECT_EQ(ticket.result, AddResult::added);
  EXPECT_EQ(shop.messages(), 1);
}

TEST(HeaderExamples, transaction_template_and_resolve_unknown) {
  const ShopDatabase shop;
  const Sqlite owner = shop.open(), fresh_owner = shop.open();
  sqlite3* db = owner.get();
  sqlite3* fresh = fresh_owner.get();
  const Outbox outbox;
  TransactionTemplate<sqlite3*> transactions(db, outbox);
  const Order order{"A-17"};
  auto placed = transactions.execute([&](auto& tx) {
    create_order(tx.connection(), order);
    tx.add(order_placed(order));
  });
  const auto now = std::chrono::steady_clock::now();
  CommitAnswer answer = CommitAnswer::committed;
  if (placed.unknown()) {
    answer = resolve_unknown(fresh, outbox, placed.added.front(), now + std::chrono::seconds(2));
  }
  EXPECT_EQ(answer, CommitAnswer::committed);
  EXPECT_EQ(shop.orders(), 1);
  EXPECT_EQ(shop.messages(), 1);
}

struct RelayBell {
  void ring() { ++rung; }
  int rung = 0;
};

TEST(HeaderExamples, dispatcher) {
  const ShopDatabase shop;
  FakeStore store_of_shop(shop.path(), {});
  MessageStore* const store = &store_of_shop;
  FakeBroker broker;
  const OpenPublisher open_publisher = broker.open_publisher();
  RelayBell relay;
  const auto run_service = [&]() -> Status {
    Dispatcher dispatcher(*store, open_publisher, {.ring = [&] { relay.ring(); }});
    if (Status started = dispatcher.start(); !started) return started;
    dispatcher.committed({{1, order_placed({"A-17"})}}, std::chrono::steady_clock::now());
    return {};
  };
  EXPECT_TRUE(run_service());
  EXPECT_EQ(relay.rung, 1);
}

}  // namespace
}  // namespace waybill::testing
