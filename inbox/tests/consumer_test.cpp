#include "waybill/inbox/consumer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "consumer_fixture.hpp"

namespace waybill::inbox::testing {
namespace {

HandlerResult never_called(TestConnection&, const Delivery&) {
  ADD_FAILURE() << "the handler must not run";
  return HandlerResult::done();
}

class Inbox : public ConsumerTest {};

TEST_F(Inbox, handles_commits_settles_and_rings) {
  deliver(make_deliveries(3));
  const ConsumerStats stats = run_once(write_effect);
  EXPECT_EQ(stats.done, 3U);
  EXPECT_EQ(count("effect"), 3);
  EXPECT_EQ(count("waybill_inbox WHERE consumer = 'points' AND verdict = 'done' AND epoch = 1"
                  " AND confirmed_at IS NULL"),
            3);
  EXPECT_EQ(text(path_, "SELECT sent_at FROM waybill_inbox ORDER BY sent_at LIMIT 1"),
            "2023-11-14 22:13:20.000");
  EXPECT_TRUE(acks_->all());
  EXPECT_GE(rings_, 1);
}

TEST_F(Inbox, a_duplicate_has_no_effect_and_is_settled_and_confirmed_again) {
  deliver(make_deliveries(1));
  (void)run_once(write_effect);
  execute(connection_.database.get(), "UPDATE waybill_inbox SET confirmed_at = 'then'");
  rings_ = 0;

  auto again = make_deliveries(1);
  again[0].sent_at += std::chrono::hours(1);
  deliver(again);
  const ConsumerStats stats = run_once(never_called);
  EXPECT_EQ(stats.duplicates, 1U);
  EXPECT_TRUE(acks_->all());
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(count("waybill_inbox WHERE confirmed_at IS NULL AND sent_at LIKE '2023-11-14 23:%'"),
            1);
  EXPECT_EQ(rings_, 1);
}

TEST_F(Inbox, a_duplicate_that_cannot_be_confirmed_again_goes_back_to_the_broker) {
  deliver(make_deliveries(1));
  (void)run_once(write_effect);
  deliver(make_deliveries(1));
  store_.failures = options_.unavailable_max;
  EXPECT_EQ(run_once(never_called).given_back, 1U);
  EXPECT_FALSE(acks_->all());
  EXPECT_EQ(run_once(never_called).duplicates, 1U);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, I3_a_throwing_handler_takes_its_inbox_row_back) {
  deliver(make_deliveries(1));
  int calls = 0;
  const ConsumerStats stats = run_once([&](TestConnection& connection, const Delivery& delivery) {
    EXPECT_EQ(count("waybill_inbox"), 0) << "the row of the failed try is still there";
    EXPECT_EQ(count("effect"), 0);
    (void)write_effect(connection, delivery);
    if (++calls < 3) throw std::runtime_error("not yet");
    return HandlerResult::done();
  });
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(count("waybill_inbox WHERE verdict = 'done'"), 1);
  EXPECT_TRUE(has_logged(LogLevel::warning, "attempt 2 of 3: not yet"));
}

TEST_F(Inbox, I3_a_handler_that_keeps_throwing_leaves_nothing_but_the_parked_message) {
  deliver(make_deliveries(2));
  const ConsumerStats stats = run_once([](TestConnection& connection, const Delivery& delivery) {
    (void)write_effect(connection, delivery);
    if (delivery.token == 0) throw std::runtime_error("user is unknown");
    return HandlerResult::done();
  });
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(stats.done, 1U) << "the others go on";
  EXPECT_EQ(count("effect WHERE message_id LIKE '%/0'"), 0);
  EXPECT_EQ(count("waybill_inbox WHERE verdict = 'failed' AND reason = 'user is unknown'"), 1);
  EXPECT_EQ(count("waybill_parked WHERE attempts = 3 AND message_type = 'order.placed'"
                  " AND body = '{}' AND reason = 'user is unknown'"),
            1);
  EXPECT_TRUE(acks_->all());
  EXPECT_TRUE(has_logged(LogLevel::alarm, "parked 'order/order.placed/0': user is unknown"));
}

TEST_F(Inbox, a_refusing_handler_is_asked_once) {
  deliver(make_deliveries(1));
  int calls = 0;
  const ConsumerStats stats = run_once([&](TestConnection& connection, const Delivery& delivery) {
    ++calls;
    (void)write_effect(connection, delivery);
    return HandlerResult::failed(std::string(600, 'x'));
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(count("effect"), 0);
  EXPECT_EQ(count("waybill_parked WHERE length(reason) = 512"), 1);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_message_that_cannot_be_parked_goes_back_to_the_broker) {
  deliver(make_deliveries(1));
  const auto refuse = [](TestConnection&, const Delivery&) { return HandlerResult::failed("no"); };
  store_.failures = options_.unavailable_max;
  EXPECT_EQ(run_once(refuse).given_back, 1U);
  EXPECT_EQ(acks_->count(), 0U);
  EXPECT_EQ(run_once(refuse).parked, 1U);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_replayed_message_that_was_refused_is_handled_anew) {
  deliver(make_deliveries(1));
  (void)run_once([](TestConnection&, const Delivery&) { return HandlerResult::failed("no"); });
  deliver(make_deliveries(1));
  EXPECT_EQ(run_once(never_called).duplicates, 1U) << "same epoch: still refused";

  auto replayed = make_deliveries(1);
  replayed[0].epoch = 2;
  deliver(replayed);
  EXPECT_EQ(run_once(write_effect).done, 1U);
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(count("waybill_inbox WHERE verdict = 'done' AND epoch = 2 AND confirmed_at IS NULL"
                  " AND reason IS NULL"),
            1);
  replayed[0].epoch = 3;
  deliver(replayed);
  EXPECT_EQ(run_once(never_called).duplicates, 1U) << "what is done stays done";
}

TEST_F(Inbox, later_leaves_nothing_and_comes_again) {
  deliver(make_deliveries(2));
  bool ready = false;
  const auto handler = [&](TestConnection& connection, const Delivery& delivery) {
    (void)write_effect(connection, delivery);
    return ready || delivery.token == 1 ? HandlerResult::done() : HandlerResult::later();
  };
  EXPECT_EQ(run_once(handler).given_back, 1U);
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(count("waybill_inbox"), 1);
  EXPECT_EQ(acks_->count(), 1U);
  ready = true;
  EXPECT_EQ(run_once(handler).done, 1U);
  EXPECT_EQ(count("effect"), 2);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_message_given_back_holds_the_later_ones_of_its_key) {
  auto deliveries = make_deliveries(4);
  deliveries[0].key = deliveries[2].key = "user-1";
  deliveries[3].key = "user-2";
  deliver(deliveries);
  (void)run_once([](TestConnection& connection, const Delivery& delivery) {
    EXPECT_NE(delivery.token, 2U);
    if (delivery.token == 0) return HandlerResult::later();
    return write_effect(connection, delivery);
  });
  EXPECT_EQ(subscriber_->given_back,
            (std::vector<std::string>{"order/order.placed/0", "order/order.placed/2"}));
  EXPECT_EQ(count("effect"), 2);
}

TEST_F(Inbox, an_unknown_type_is_parked_with_a_reason_that_names_it) {
  auto deliveries = make_deliveries(2);
  deliveries[0].message_type = "order.renamed";
  deliver(deliveries);
  const ConsumerStats stats = run_once(Handlers<TestConnection>{{"order.placed", write_effect}});
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(text(path_, "SELECT reason FROM waybill_parked"),
            "no handler for message type 'order.renamed'");
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, malformed_ids_are_parked_each_on_its_own) {
  auto deliveries = make_deliveries(4);
  deliveries[0].message_id = "";
  deliveries[1].message_id = "no slashes \xff here";
  deliveries[2].message_id = "a/b/" + std::string(800, 'c');
  for (const bool together : {false, true}) {
    options_.batch_in_one_transaction = together;
    deliver(deliveries);
    const ConsumerStats stats = run_once(write_effect);
    EXPECT_EQ(stats.parked, 3U);
    EXPECT_TRUE(acks_->all());
  }
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(count("waybill_inbox WHERE verdict = 'failed' AND message_id LIKE 'malformed:%'"), 3);
}

TEST_F(Inbox, a_broken_envelope_is_parked_with_its_defect_and_the_others_go_on) {
  for (const bool together : {false, true}) {
    options_.batch_in_one_transaction = together;
    auto deliveries = make_deliveries(2);
    deliveries[0].message_id += together ? "-together" : "-alone";
    deliveries[0].defect = "no epoch at all";
    deliver(deliveries);
    EXPECT_EQ(run_once(write_effect).parked, 1U);
    EXPECT_TRUE(acks_->all());
  }
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(count("waybill_parked WHERE reason = 'no epoch at all'"), 2);
}

TEST_F(Inbox, C8_ids_are_compared_as_bytes) {
  auto deliveries = make_deliveries(5);
  deliveries[0].message_id = "order/order.placed/ORDER-1";
  deliveries[1].message_id = "order/order.placed/ORDER-1 ";
  deliveries[2].message_id = "order/order.placed/order-1";
  deliveries[3].message_id = "a%2Fb/order.placed/c";
  deliveries[4].message_id = "a/order.placed/b%2Fc";
  deliver(deliveries);
  EXPECT_EQ(run_once(write_effect).done, 5U);
  EXPECT_EQ(count("(SELECT DISTINCT message_id FROM effect)"), 5);
}

TEST_F(Inbox, a_lost_answer_to_commit_is_decided_by_redelivery) {
  for (const bool together : {false, true}) {
    execute(connection_.database.get(), "DELETE FROM waybill_inbox; DELETE FROM effect");
    options_.batch_in_one_transaction = together;
    deliver(make_deliveries(together ? 2 : 1));
    connection_.commit_answers = {CommitAnswer::unknown};
    const ConsumerStats first = run_once(write_effect);
    EXPECT_EQ(first.done, 0U);
    EXPECT_GE(first.given_back, 1U);
    EXPECT_EQ(acks_->count(), 0U);
    EXPECT_GE(run_once(never_called).duplicates, 1U);
    EXPECT_EQ(count("effect"), together ? 2 : 1);
    EXPECT_TRUE(acks_->all());
  }
}

TEST_F(Inbox, a_commit_that_rolls_back_is_tried_again) {
  for (const bool together : {false, true}) {
    execute(connection_.database.get(), "DELETE FROM waybill_inbox; DELETE FROM effect");
    options_.batch_in_one_transaction = together;
    deliver(make_deliveries(2));
    connection_.commit_answers = {CommitAnswer::rolled_back};
    EXPECT_EQ(run_once(write_effect).done, 2U);
    EXPECT_EQ(count("effect"), 2);
    EXPECT_TRUE(acks_->all());
  }
}

TEST_F(Inbox, a_transaction_that_ends_inside_the_handler_is_noticed) {
  deliver(make_deliveries(1));
  int calls = 0;
  const ConsumerStats stats = run_once([&](TestConnection& connection, const Delivery& delivery) {
    if (++calls == 1) {
      execute(connection.database.get(), "ROLLBACK");
      return HandlerResult::done();
    }
    return write_effect(connection, delivery);
  });
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(count("effect"), 1);
  EXPECT_TRUE(has_logged(LogLevel::warning, "the transaction ended inside the handler"));
}

TEST_F(Inbox, A3_a_connection_lost_inside_the_handler_is_opened_anew_and_counts_no_attempt) {
  bool is_lost = false;
  int reconnects = 0;
  connection_.at_boundary = [&](Boundary boundary) {
    if (is_lost && boundary == Boundary::before_begin) throw std::runtime_error("server gone");
  };
  options_.attempts_max = 1;
  options_.reconnect = [&] { is_lost = ++reconnects < 3; };  // the server needs its time
  deliver(make_deliveries(2));
  int calls = 0;
  const ConsumerStats stats = run_once([&](TestConnection& connection, const Delivery& delivery) {
    if (++calls == 1) {
      is_lost = true;
      execute(connection.database.get(), "ROLLBACK");
      throw std::runtime_error("server closed the connection");
    }
    return write_effect(connection, delivery);
  });
  EXPECT_EQ(reconnects, 3);
  EXPECT_EQ(stats.done, 2U);
  EXPECT_EQ(stats.parked, 0U);
  EXPECT_EQ(count("effect"), 2);
}

TEST_F(Inbox, a_locked_database_delays_and_counts_no_attempt) {
  connection_.database = open_sqlite(path_, 0);
  const Sqlite other = open_sqlite(path_);
  execute(other.get(), "BEGIN IMMEDIATE");
  deliver(make_deliveries(1));
  EXPECT_EQ(run_once(never_called).given_back, 1U);
  EXPECT_EQ(count("waybill_parked"), 0);
  EXPECT_TRUE(has_logged(LogLevel::alarm, "database is locked"));

  int begins = 0;
  connection_.at_boundary = [&](Boundary boundary) {
    if (boundary == Boundary::before_begin && ++begins == 5) execute(other.get(), "ROLLBACK");
  };
  EXPECT_EQ(run_once(write_effect).done, 1U);
  EXPECT_EQ(count("effect"), 1);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_missing_table_loses_nothing) {
  execute(connection_.database.get(), "ALTER TABLE waybill_inbox RENAME TO hidden");
  deliver(make_deliveries(1));
  EXPECT_EQ(run_once(never_called).given_back, 1U);
  EXPECT_TRUE(has_logged(LogLevel::alarm, "no such table: waybill_inbox"));
  execute(connection_.database.get(), "ALTER TABLE hidden RENAME TO waybill_inbox");
  EXPECT_EQ(run_once(write_effect).done, 1U);
}

TEST_F(Inbox, one_commit_serves_a_batch_when_asked) {
  options_.batch_in_one_transaction = true;
  deliver(make_deliveries(100, 2));
  options_.batch_max = 200;
  int commits = 0;
  connection_.at_boundary = [&](Boundary boundary) {
    if (boundary == Boundary::after_commit) ++commits;
  };
  const ConsumerStats stats = run_once(write_effect);
  EXPECT_EQ(commits, 1);
  EXPECT_EQ(stats.done, 100U);
  EXPECT_EQ(stats.duplicates, 100U);
  EXPECT_EQ(count("effect"), 100);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_batch_with_a_failing_message_falls_back_to_one_by_one) {
  options_.batch_in_one_transaction = true;
  deliver(make_deliveries(10));
  const ConsumerStats stats = run_once([](TestConnection& connection, const Delivery& delivery) {
    (void)write_effect(connection, delivery);
    if (delivery.token == 7) throw std::runtime_error("broken");
    return HandlerResult::done();
  });
  EXPECT_EQ(stats.done, 9U);
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(count("effect"), 9);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_failing_settlement_is_tried_again) {
  deliver(make_deliveries(1));
  subscriber_->settle_failures = 3;
  EXPECT_EQ(run_once(write_effect).done, 1U);
  EXPECT_TRUE(acks_->all());
}

TEST_F(Inbox, a_failing_receive_is_logged_once_and_waited_out) {
  deliver(make_deliveries(1));
  subscriber_->receive_failures = 3;
  TestConsumer consumer(connection_, store_, *subscriber_, options_, write_effect);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(consumer.run_once(std::stop_token{}, Millis(0)).ok());
    EXPECT_EQ(consumer.stats().done, 0U);
  }
  EXPECT_EQ(std::count_if(logged_.begin(), logged_.end(),
                          [](const auto& line) {
                            return line.first == LogLevel::warning &&
                                   line.second.find("receive failed") != std::string::npos;
                          }),
            1);
  EXPECT_TRUE(consumer.run_once(std::stop_token{}, Millis(0)).ok());
  EXPECT_EQ(consumer.stats().done, 1U);
}

TEST_F(Inbox, refuses_options_that_cannot_work) {
  deliver(make_deliveries(1));
  const auto refused = [&](ConsumerOptions options) {
    TestConsumer consumer(connection_, store_, *subscriber_, options, never_called);
    const Status ran = consumer.run(std::stop_token{});
    return !ran.ok() && ran.error().remedy == Remedy::fix_call && !ran.error().hint.empty();
  };
  ConsumerOptions options = options_;
  options.consumer = "";
  EXPECT_TRUE(refused(options));
  options.consumer = "a,b";
  EXPECT_TRUE(refused(options));
  options = options_;
  options.attempts_max = 0;
  EXPECT_TRUE(refused(options));
  options = options_;
  options.batch_max = 0;
  EXPECT_TRUE(refused(options));
  options.batch_max = 1001;
  EXPECT_TRUE(refused(options));
}

TEST_F(Inbox, a_stop_ends_a_waiting_run_at_once) {
  deliver(make_deliveries(1));
  options_.receive_wait = Millis(60'000);
  TestConsumer consumer(connection_, store_, *subscriber_, options_, write_effect);
  const auto started = std::chrono::steady_clock::now();
  std::jthread runner([&](std::stop_token stop) { EXPECT_TRUE(consumer.run(stop).ok()); });
  const auto deadline = started + std::chrono::seconds(10);
  while (consumer.stats().done == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  runner.request_stop();
  runner.join();
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_EQ(consumer.stats().done, 1U);
}

TEST_F(Inbox, a_stop_leaves_the_rest_of_the_batch_to_the_broker) {
  deliver(make_deliveries(3));
  std::stop_source stop;
  TestConsumer consumer(connection_, store_, *subscriber_, options_,
                        [&](TestConnection& connection, const Delivery& delivery) {
                          stop.request_stop();
                          return write_effect(connection, delivery);
                        });
  EXPECT_TRUE(consumer.run(stop.get_token()).ok());
  EXPECT_EQ(count("effect"), 1);
  EXPECT_EQ(acks_->count(), 1U);
  EXPECT_EQ(subscriber_->given_back.size(), 2U);
}

}  // namespace
}  // namespace waybill::inbox::testing
