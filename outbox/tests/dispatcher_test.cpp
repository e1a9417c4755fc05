#include "waybill/outbox/dispatcher.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "fake_broker.hpp"
#include "fake_store.hpp"
#include "shop_database.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::testing {
namespace {

using Tx = Transaction<sqlite3*>;
using std::chrono::steady_clock;

// What a call may take beyond its deadline on a busy machine.
constexpr Millis kSlack{400};

Route route(Dispatch dispatch, Ordering ordering = Ordering::none) {
  Route route;
  route.message_type = "order.placed";
  route.destination = "orders";
  route.consumers = {"points"};
  route.dispatch = dispatch;
  route.ordering = ordering;
  return route;
}

std::optional<PublishResult> silence(const std::string&) {
  return std::nullopt;
}

Answer always(PublishResult result) {
  return [result](const std::string&) { return result; };
}

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() : owner(shop.open()), db(owner.get()), store(shop.path(), {}) {
    options.grace = Millis(60'000);  // tests of lateness shorten it
    options.ring = [this] { ++rings; };
    options.log = [this](LogLevel, std::string_view) { ++logged; };
  }

  void start(std::vector<Route> routes) {
    store.set_routes(std::move(routes));
    dispatcher.emplace(store, broker.open_publisher(), options);
    ASSERT_TRUE(dispatcher->start());
    transactions.emplace(db, outbox, &*dispatcher);
  }

  Outcome<void> place(const std::string& id) {
    return transactions->execute([&](Tx& tx) {
      insert_order(tx.connection(), id);
      tx.add(order_placed(id));
    });
  }

  // How long placing an order took, which must have committed.
  Millis place_timed(const std::string& id) {
    const auto started = steady_clock::now();
    EXPECT_TRUE(place(id).committed());
    return std::chrono::duration_cast<Millis>(steady_clock::now() - started);
  }

  ShopDatabase shop;
  Sqlite owner;
  sqlite3* db;
  FakeStore store;
  FakeBroker broker;
  const Outbox outbox;
  DispatcherOptions options;
  std::atomic<int> rings{0}, logged{0};
  std::optional<Dispatcher> dispatcher;
  std::optional<TransactionTemplate<sqlite3*>> transactions;
};

TEST_F(DispatcherTest, E2_sync_has_published_and_marked_when_the_call_returns) {
  start({route(Dispatch::sync)});
  const auto outcome = transactions->execute([&](Tx& tx) {
    Message message = order_placed("A-17", "{\"points\":42}");
    message.key = "user-1";
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    tx.add(message);
  });
  ASSERT_TRUE(outcome.committed());
  ASSERT_EQ(broker.arrivals(), 1U);
  const ArrivedMessage message = broker.arrived().front();
  EXPECT_EQ(message.message_id, "order/order.placed/A-17");
  EXPECT_EQ(message.message_type, "order.placed");
  EXPECT_EQ(message.destination, "orders");
  EXPECT_EQ(message.key, "user-1");
  EXPECT_EQ(message.body, "{\"points\":42}");
  EXPECT_EQ(message.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(shop.messages("state = 'SENT'"), 1);
  EXPECT_EQ(dispatcher->stats().marked, 1U);
}

TEST_F(DispatcherTest, refuses_options_out_of_bounds) {
  const std::map<std::string, std::function<void(DispatcherOptions&)>> wrong = {
      {"queue_max", [](DispatcherOptions& o) { o.queue_max = 0; }},
      {"queue_bytes_max", [](DispatcherOptions& o) { o.queue_bytes_max = 0; }},
      {"failures_max", [](DispatcherOptions& o) { o.failures_max = 0; }},
      {"send_deadline", [](DispatcherOptions& o) { o.send_deadline = Millis(0); }},
      {"grace", [](DispatcherOptions& o) { o.grace = Millis(-1); }},
      {"pause", [](DispatcherOptions& o) { o.pause = Millis::max(); }},
  };
  for (const auto& [name, spoil] : wrong) {
    DispatcherOptions spoilt = options;
    spoil(spoilt);
    const Status started = Dispatcher(store, broker.open_publisher(), spoilt).start();
    ASSERT_FALSE(started.ok()) << name;
    EXPECT_EQ(started.error().remedy, Remedy::fix_call);
    EXPECT_NE(started.error().text.find("'s " + name + " is"), std::string::npos)
        << started.error().text;
  }
}

// Misuse: the template hears nothing of the rollback.
TEST_F(DispatcherTest, T7_a_message_that_was_sent_without_a_row_raises_an_alarm) {
  std::string alarm;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::alarm) alarm = text;
  };
  start({route(Dispatch::sync)});
  const auto outcome = transactions->execute([&](Tx& tx) {
    insert_order(tx.connection(), "A-17");
    run(db, "SAVEPOINT own");
    tx.add(order_placed("A-17"));
    run(db, "ROLLBACK TO own");
  });
  ASSERT_TRUE(outcome.committed()) << outcome.reason;
  dispatcher->stop();
  EXPECT_EQ(broker.arrivals(), 1U);
  EXPECT_NE(alarm.find("order/order.placed/A-17"), std::string::npos) << alarm;
  EXPECT_NE(alarm.find("execute_nested"), std::string::npos) << alarm;
}

TEST_F(DispatcherTest, E2_a_type_that_nobody_confirms_is_SUCCESS_at_once) {
  Route closed_by_ack = route(Dispatch::sync);
  closed_by_ack.consumers.clear();
  start({closed_by_ack});
  EXPECT_TRUE(place("A-17").committed());
  EXPECT_EQ(shop.messages("state = 'SUCCESS'"), 1);
}

TEST_F(DispatcherTest, E2_E7_a_hanging_broker_costs_the_deadline_once_and_then_nothing) {
  options.send_deadline = Millis(150);
  broker.set_answer(silence);
  start({route(Dispatch::sync)});
  const Millis first = place_timed("first");
  EXPECT_GE(first, options.send_deadline);
  EXPECT_LE(first, options.send_deadline + kSlack);
  for (int i = 0; i < 20; ++i) EXPECT_LT(place_timed(std::to_string(i)), options.send_deadline);
  EXPECT_LE(broker.arrivals(), 2U);
  EXPECT_EQ(shop.messages("state = 'INIT'"), 21);

  broker.set_answer(always(PublishResult::acked));
  ASSERT_TRUE(eventually([&] { return dispatcher->stats().marked >= 1; }));
  EXPECT_TRUE(place("healed").committed());
  EXPECT_TRUE(
      eventually([&] { return shop.messages("identifier = 'healed' AND state = 'SENT'") == 1; }));
}

TEST_F(DispatcherTest, E6_E7_a_failed_send_fails_no_call_and_after_some_pauses_the_destination) {
  options.pause = Millis(60'000);
  broker.set_answer(always(PublishResult::unreachable));
  start({route(Dispatch::sync)});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(place(std::to_string(i)).committed());
  EXPECT_EQ(broker.arrivals(), options.failures_max);
  EXPECT_EQ(shop.messages("state = 'INIT'"), 10);
  EXPECT_EQ(dispatcher->stats().left, 10U);
  EXPECT_GE(rings, 10);
  EXPECT_EQ(logged, 1);
}

TEST_F(DispatcherTest, E7_a_paused_destination_is_probed_by_a_message_that_nobody_waits_for) {
  options.pause = Millis(1);
  options.send_deadline = Millis(5000);
  broker.set_answer(always(PublishResult::unreachable));
  start({route(Dispatch::sync)});
  for (std::uint32_t i = 0; i < options.failures_max; ++i) {
    EXPECT_TRUE(place(std::to_string(i)).committed());
  }
  const auto pause_over = steady_clock::now() + options.pause;
  ASSERT_TRUE(eventually([&] { return steady_clock::now() > pause_over; }));
  broker.set_answer(silence);
  EXPECT_LT(place_timed("probe"), options.send_deadline);
  EXPECT_LT(place_timed("while probing"), options.send_deadline);
  ASSERT_TRUE(eventually([&] { return broker.arrivals() == options.failures_max + 1; }));

  broker.set_answer(always(PublishResult::acked));
  ASSERT_TRUE(eventually([&] { return dispatcher->stats().marked == 1; }));
  EXPECT_TRUE(place("healed").committed());
  EXPECT_EQ(shop.messages("identifier IN ('probe', 'healed') AND state = 'SENT'"), 2);
}

TEST_F(DispatcherTest, E6_a_publisher_that_cannot_be_opened_fails_no_call) {
  broker.set_open_error(Error{Remedy::fix_call, "no such broker", "configure it"});
  start({route(Dispatch::sync)});
  EXPECT_TRUE(place("A").committed());
  EXPECT_EQ(shop.messages("state = 'INIT'"), 1);
  broker.set_open_error(std::nullopt);
  EXPECT_TRUE(place("B").committed());
  EXPECT_EQ(shop.messages("identifier = 'B' AND state = 'SENT'"), 1);
}

TEST_F(DispatcherTest, E6_an_exception_on_the_sender_s_thread_fails_no_call) {
  broker.set_on_submit([] { throw std::runtime_error("a driver out of order"); });
  start({route(Dispatch::sync)});
  EXPECT_LT(place_timed("A"), options.send_deadline + kSlack);
  broker.set_on_submit({});
  EXPECT_TRUE(place("B").committed());
  EXPECT_EQ(shop.messages("identifier = 'B' AND state = 'SENT'"), 1);
}

TEST_F(DispatcherTest, E1_no_broker_is_asked_while_the_transaction_is_open) {
  start({route(Dispatch::sync)});
  broker.set_on_submit([&] {
    EXPECT_EQ(shop.messages(), 1);  // committed, as another connection sees it
    const Sqlite other = open_sqlite(shop.path(), 0);
    run(other.get(), "BEGIN IMMEDIATE; INSERT INTO orders VALUES('competing'); COMMIT");
  });
  EXPECT_TRUE(place("A").committed());
  EXPECT_EQ(broker.arrivals(), 1U);
  EXPECT_EQ(shop.orders(), 2);
}

TEST_F(DispatcherTest, E1_nobody_waits_for_a_broker_inside_another_template_s_transaction) {
  options.send_deadline = Millis(5000);
  broker.set_answer(silence);
  start({route(Dispatch::sync)});
  ShopDatabase elsewhere;
  const Sqlite elsewhere_owner = elsewhere.open();
  sqlite3* elsewhere_db = elsewhere_owner.get();
  TransactionTemplate<sqlite3*> outer(elsewhere_db, outbox);
  static_cast<void>(
      outer.execute([&](Tx&) { EXPECT_LT(place_timed("A"), options.send_deadline); }));
  EXPECT_TRUE(eventually([&] { return broker.arrivals() == 1; }));
}

TEST_F(DispatcherTest, E3_async_sends_after_the_commit_and_never_after_a_rollback) {
  start({route(Dispatch::async)});
  static_cast<void>(transactions->execute([&](Tx& tx) {
    tx.add(order_placed("rolled back"));
    tx.set_rollback_only();
  }));
  EXPECT_THROW(static_cast<void>(transactions->execute([&](Tx& tx) {
                 tx.add(order_placed("thrown"));
                 throw std::runtime_error("x");
               })),
               std::runtime_error);
  EXPECT_TRUE(place("committed").committed());
  EXPECT_TRUE(eventually([&] { return shop.messages("state = 'SENT'") == 1; }));
  ASSERT_EQ(broker.arrivals(), 1U);
  EXPECT_EQ(broker.arrived().front().message_id, "order/order.placed/committed");
}

TEST_F(DispatcherTest, E3_a_full_queue_leaves_the_row_to_the_relay_at_once) {
  options.queue_max = 3;
  options.send_deadline = Millis(5000);  // not silent for long enough to count as hanging
  broker.set_answer(silence);
  start({route(Dispatch::async)});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(place(std::to_string(i)).committed());
  EXPECT_EQ(dispatcher->stats().left, 7U);
  EXPECT_GE(rings, 7);
  ASSERT_TRUE(eventually([&] { return broker.arrivals() == 3; }));
  EXPECT_EQ(shop.messages("state = 'INIT'"), 10);
  broker.set_answer(always(PublishResult::acked));
  EXPECT_TRUE(eventually([&] { return shop.messages("state = 'SENT'") == 3; }));
  EXPECT_TRUE(place("again").committed());
  EXPECT_TRUE(eventually([&] { return shop.messages("state = 'SENT'") == 4; }));
}

TEST_F(DispatcherTest, E3_the_queue_is_bounded_by_bytes_too) {
  options.queue_bytes_max = 4;
  start({route(Dispatch::sync)});
  EXPECT_TRUE(
      transactions->execute([&](Tx& tx) { tx.add(order_placed("large", "12345")); }).committed());
  EXPECT_TRUE(
      transactions->execute([&](Tx& tx) { tx.add(order_placed("small", "1234")); }).committed());
  EXPECT_EQ(shop.messages("identifier = 'large' AND state = 'INIT'"), 1);
  EXPECT_EQ(shop.messages("identifier = 'small' AND state = 'SENT'"), 1);
}

TEST_F(DispatcherTest, E3_stop_sends_what_is_queued_and_leaves_the_rest_at_its_deadline) {
  options.send_deadline = Millis(5000);  // not silent for long enough to count as hanging
  start({route(Dispatch::async)});
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(place(std::to_string(i)).committed());
  dispatcher->stop(Millis(5000));
  EXPECT_EQ(shop.messages("state = 'SENT'"), 50);
  EXPECT_TRUE(place("afterwards").committed());
  EXPECT_EQ(shop.messages("identifier = 'afterwards' AND state = 'INIT'"), 1);
}

TEST_F(DispatcherTest, E3_stop_does_not_wait_for_a_hanging_broker_beyond_its_deadline) {
  broker.set_answer(silence);
  start({route(Dispatch::async)});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(place(std::to_string(i)).committed());
  const auto started = steady_clock::now();
  dispatcher->stop(Millis(50));
  EXPECT_LE(steady_clock::now() - started, Millis(50) + kSlack);
  EXPECT_EQ(dispatcher->stats().left, 5U);
  EXPECT_EQ(shop.messages("state = 'INIT'"), 5);
}

TEST_F(DispatcherTest, E5_a_row_that_is_late_is_left_unpublished) {
  options.grace = Millis(1000);
  start({route(Dispatch::sync)});
  dispatcher->committed({{1, order_placed("slow COMMIT")}}, steady_clock::now() - Millis(501));
  EXPECT_EQ(broker.arrivals(), 0U);
  EXPECT_EQ(dispatcher->stats().left, 1U);
  dispatcher->committed({{1, order_placed("in time")}}, steady_clock::now());
  EXPECT_EQ(broker.arrivals(), 1U);
}

TEST_F(DispatcherTest, E5_a_row_that_waited_too_long_behind_a_full_window_is_left_unpublished) {
  options.grace = Millis(400);
  options.send_deadline = Millis(50);
  broker.set_window(1);
  broker.set_answer(silence);
  start({route(Dispatch::async)});
  EXPECT_TRUE(place("first").committed());
  EXPECT_TRUE(place("second").committed());
  EXPECT_TRUE(eventually([&] { return dispatcher->stats().left == 1; }));
  ASSERT_EQ(broker.arrivals(), 1U);
  EXPECT_EQ(broker.arrived().front().message_id, "order/order.placed/first");
}

TEST_F(DispatcherTest, F6_a_mark_that_fails_is_tried_again_while_there_is_time) {
  store.mark_failures = 2;
  start({route(Dispatch::sync)});
  EXPECT_TRUE(place("A").committed());
  EXPECT_EQ(store.marks, 3U);
  EXPECT_EQ(shop.messages("state = 'SENT'"), 1);
  EXPECT_EQ(broker.arrivals(), 1U);
}

TEST_F(DispatcherTest, F6_a_mark_that_fails_for_too_long_leaves_the_row_to_the_relay) {
  options.grace = Millis(200);
  store.mark_failures = 1'000'000;
  start({route(Dispatch::sync)});
  EXPECT_TRUE(place("A").committed());
  EXPECT_TRUE(eventually([&] { return dispatcher->stats().left == 1; }));
  EXPECT_EQ(shop.messages("state = 'INIT'"), 1);
}

TEST_F(DispatcherTest, F4_a_row_that_somebody_else_advanced_stays_as_it_is) {
  broker.set_on_submit(
      [&] { run(open_sqlite(shop.path()).get(), "UPDATE local_message SET state = 'SUCCESS'"); });
  start({route(Dispatch::sync)});
  EXPECT_TRUE(place("A").committed());
  EXPECT_EQ(shop.messages("state = 'SUCCESS'"), 1);
  EXPECT_EQ(dispatcher->stats().marked, 0U);
}

TEST_F(DispatcherTest, T8_one_message_that_the_broker_refuses_does_not_stop_the_others) {
  broker.set_answer([](const std::string& message_id) -> std::optional<PublishResult> {
    return message_id.ends_with("/3") ? PublishResult::rejected : PublishResult::acked;
  });
  start({route(Dispatch::sync)});
  const auto outcome = transactions->execute([&](Tx& tx) {
    for (int i = 1; i <= 5; ++i) tx.add(order_placed(std::to_string(i)));
  });
  EXPECT_TRUE(outcome.committed());
  EXPECT_EQ(broker.arrivals(), 5U);
  EXPECT_EQ(shop.messages("state = 'SENT'"), 4);
  EXPECT_EQ(shop.messages("identifier = '3' AND state = 'INIT'"), 1);
}

TEST_F(DispatcherTest, K4_ordered_types_are_never_sent_in_process) {
  start({route(Dispatch::sync, Ordering::publish)});
  EXPECT_TRUE(place("A").committed());
  dispatcher->stop(Millis(1000));
  EXPECT_EQ(broker.arrivals(), 0U);
  EXPECT_EQ(rings, 1);
}

TEST_F(DispatcherTest, relay_types_and_types_without_a_route_only_ring) {
  start({route(Dispatch::relay)});
  EXPECT_TRUE(place("A").committed());
  EXPECT_EQ(rings, 1);
  const auto outcome = transactions->execute([&](Tx& tx) {
    Message message = order_placed("B");
    message.message_type = "nobody.knows";
    tx.add(message);
  });
  EXPECT_TRUE(outcome.committed());
  EXPECT_EQ(rings, 2);
  dispatcher->stop(Millis(1000));
  EXPECT_EQ(broker.arrivals(), 0U);
}

TEST_F(DispatcherTest, a_call_may_weaken_its_dispatch_to_the_relay) {
  start({route(Dispatch::sync)});
  const auto outcome = transactions->execute([&](Tx& tx) {
    tx.add(order_placed("A"));
    tx.leave_to_relay();
  });
  EXPECT_TRUE(outcome.committed());
  EXPECT_EQ(rings, 1);
  EXPECT_TRUE(place("B").committed());
  EXPECT_EQ(broker.arrivals(), 1U);
}

TEST_F(DispatcherTest, a_changed_route_is_seen_within_seconds) {
  start({route(Dispatch::relay)});
  store.set_routes({route(Dispatch::sync)});
  int i = 0;
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(place(std::to_string(++i)).committed());
    return broker.arrivals() > 0;
  }));
}

TEST_F(DispatcherTest, a_store_that_cannot_be_reached_is_said_by_start) {
  store.unreachable = true;
  Dispatcher unreachable(store, broker.open_publisher(), options);
  const Status started = unreachable.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().remedy, Remedy::retry);
  store.unreachable = false;
  EXPECT_TRUE(unreachable.start());
  EXPECT_EQ(unreachable.start().error().remedy, Remedy::fix_call);
}

TEST_F(DispatcherTest, many_threads_send_each_message_once) {
  start({route(Dispatch::sync)});
  constexpr int kThreads = 4;
  constexpr int kOrders = 50;
  std::latch together(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const Sqlite own = shop.open();
      sqlite3* handle = own.get();
      TransactionTemplate<sqlite3*> mine(handle, outbox, &*dispatcher);
      together.arrive_and_wait();
      for (int i = 0; i < kOrders; ++i) {
        const std::string id = std::to_string(t) + "." + std::to_string(i);
        EXPECT_TRUE(mine.execute([&](Tx& tx) { tx.add(order_placed(id)); }).committed());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  dispatcher->stop(Millis(5000));
  EXPECT_EQ(broker.arrivals() + dispatcher->stats().left,
            static_cast<std::size_t>(kThreads * kOrders));
  EXPECT_EQ(shop.messages("state = 'SENT'"), static_cast<std::int64_t>(broker.arrivals()));
}

}  // namespace
}  // namespace waybill::testing
