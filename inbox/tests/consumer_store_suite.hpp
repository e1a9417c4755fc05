// The consumer on a real database: its store, the caller's adapter, and the embedded queue. A test
// program instantiates it for its database:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, InboxOnDatabase, SqlitePoints);
//
// The database holds the consumer's tables and effect(message_id). `Connection` is an open
// connection to it with handle() and execute(); connect() opens one, open_store() the inbox store,
// number() reads what is committed. Nothing of it is open between the calls, because tests fork.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "consumer_fixture.hpp"
#include "waybill/brokers/embedded.hpp"
#include "waybill/inbox/consumer.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::inbox::testing {

using std::chrono::steady_clock;

inline constexpr auto kPatience = std::chrono::seconds(10);

// A connection that tells its boundaries.
template <class Connection>
struct Watched {
  Connection connection;
  AtBoundary at_boundary = [](Boundary) {};
};

struct CountAcks final : OutcomeSink {
  std::size_t acked = 0;
  void on_outcome(const PublishOutcome& outcome) override {
    acked += outcome.result == PublishResult::acked ? 1U : 0U;
  }
};

using waybill::testing::must;

}  // namespace waybill::inbox::testing

template <class Connection>
struct waybill::transaction_adapter<waybill::inbox::testing::Watched<Connection>> {
  using Handle = waybill::inbox::testing::Watched<Connection>;
  using Boundary = waybill::inbox::testing::Boundary;
  using Adapter =
      transaction_adapter<std::remove_reference_t<decltype(std::declval<Connection&>().handle())>>;

  static Dialect dialect(Handle& handle) { return Adapter::dialect(handle.connection.handle()); }
  static TransactionStatus status(Handle& handle) {
    return Adapter::status(handle.connection.handle());
  }
  static Inserted insert(Handle& handle, const Statement& statement) {
    const Inserted inserted = Adapter::insert(handle.connection.handle(), statement);
    handle.at_boundary(Boundary::after_inbox_row);
    return inserted;
  }
  static std::vector<TextRow> select(Handle& handle, const Statement& statement) {
    return Adapter::select(handle.connection.handle(), statement);
  }
  static void begin(Handle& handle) {
    handle.at_boundary(Boundary::before_begin);
    Adapter::begin(handle.connection.handle());
    handle.at_boundary(Boundary::after_begin);
  }
  static CommitAnswer commit(Handle& handle) {
    handle.at_boundary(Boundary::before_commit);
    const CommitAnswer answer = Adapter::commit(handle.connection.handle());
    handle.at_boundary(Boundary::after_commit);
    return answer;
  }
  static void rollback(Handle& handle) { Adapter::rollback(handle.connection.handle()); }
  static void savepoint(Handle& handle, std::string_view name) {
    Adapter::savepoint(handle.connection.handle(), name);
  }
  static void rollback_to(Handle& handle, std::string_view name) {
    Adapter::rollback_to(handle.connection.handle(), name);
  }
  static void release(Handle& handle, std::string_view name) {
    Adapter::release(handle.connection.handle(), name);
  }
};

namespace waybill::inbox::testing {

template <class Points>
class InboxOnDatabase : public ::testing::Test {
 protected:
  using Connection = typename Points::Connection;
  using Handle = std::remove_reference_t<decltype(std::declval<Connection&>().handle())>;
  using WatchedConnection = Watched<Connection>;

  InboxOnDatabase() { publisher_ = must(embedded::open_publisher({.path = queue_path_})); }

  static HandlerResult count_effect(Handle& handle, const Delivery& delivery) {
    using Adapter = transaction_adapter<Handle>;
    const Value values[] = {std::string_view(delivery.message_id)};
    const bool numbered = Adapter::dialect(handle) == Dialect::postgres;
    (void)Adapter::insert(
        handle,
        {numbered ? "INSERT INTO effect VALUES ($1)" : "INSERT INTO effect VALUES (?)", values});
    return HandlerResult::done();
  }
  static HandlerResult count_watched(WatchedConnection& watched, const Delivery& delivery) {
    HandlerResult result = count_effect(watched.connection.handle(), delivery);
    watched.at_boundary(Boundary::in_handler);
    return result;
  }

  void publish(const std::vector<std::string>& ids, std::uint32_t epoch, DatabaseTime sent_at,
               std::string_view type = "order.placed") {
    std::vector<Outgoing> messages;
    for (const std::string& id : ids) {
      Outgoing message;
      message.token = ++token_;
      message.destination = "orders";
      message.message_id = id;
      message.message_type = type;
      message.body = "{}";
      message.epoch = epoch;
      message.sent_at = sent_at;
      messages.push_back(message);
    }
    CountAcks acks;
    ASSERT_EQ(publisher_->submit(messages), messages.size());
    const auto deadline = steady_clock::now() + kPatience;
    while (acks.acked < ids.size() && steady_clock::now() < deadline) {
      publisher_->poll(deadline, acks);
    }
    ASSERT_EQ(acks.acked, ids.size());
  }

  // A member of its own, as after a restart; works until `settled` deliveries were dealt with.
  ConsumerStats consume(std::uint64_t settled, Handler<Handle> handler = count_effect) {
    const auto subscriber = must(embedded::open_subscriber(
        {.path = queue_path_}, {.topic = "orders", .group = "points", .member = "m"}));
    ConsumerOptions options;
    options.consumer = "points";
    options.later_wait = Millis(1);
    Connection connection = points_.connect();
    const auto store = points_.open_store();
    Consumer<Handle> consumer(connection.handle(), *store, *subscriber, options,
                              Handlers<Handle>{{"order.placed", std::move(handler)}});
    const auto deadline = steady_clock::now() + kPatience;
    const auto dealt_with = [&] {
      const ConsumerStats stats = consumer.stats();
      return stats.done + stats.duplicates + stats.parked;
    };
    while (dealt_with() < settled && steady_clock::now() < deadline) {
      EXPECT_TRUE(consumer.run_once({}, Millis(100)).ok());
    }
    EXPECT_EQ(dealt_with(), settled);
    return consumer.stats();
  }

  std::vector<PendingConfirmation> pending() {
    return must(must(points_.open_store()->open())->pending("points", 0, 1000));
  }
  Status confirmed(const std::vector<PendingConfirmation>& rows) {
    return must(points_.open_store()->open())->confirmed("points", rows);
  }
  std::int64_t count(const std::string& from) {
    return points_.number("SELECT count(*) FROM " + from);
  }

  // Runs `work` in a process of its own. Answers whether it ended well, not by SIGKILL.
  static bool in_a_process(const std::function<void()>& work) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      work();
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  // Consumes what the queue holds, with a member that soon takes over from a killed one.
  template <class Consumed>
  void drain(Consumed& connection, ConsumerOptions options, Handler<Consumed> handler) {
    const auto subscriber =
        must(embedded::open_subscriber({.path = queue_path_, .lease_ttl = Millis(100)},
                                       {.topic = "orders", .group = "points", .member = "m"}));
    const auto store = points_.open_store();
    Consumer<Consumed> consumer(connection, *store, *subscriber, std::move(options),
                                std::move(handler));
    while (must(consumer.run_once({}, Millis(500))) > 0) {
    }
  }

  // Consumes the copies of a fake broker until all are acked.
  ConsumerStats consume_all(
      Acks& acks, const std::vector<Delivery>& deliveries,
      const AtBoundary& at_boundary = [](Boundary) {}) {
    WatchedConnection watched{points_.connect(), at_boundary};
    const auto store = points_.open_store();
    FakeSubscriber subscriber(deliveries, acks, at_boundary);
    ConsumerOptions options = quick_options();
    options.unavailable_max = 100;
    options.batch_max = 7;
    Consumer<WatchedConnection> consumer(watched, *store, subscriber, options, count_watched);
    while (!acks.all()) must(consumer.run_once({}, Millis(0)));
    return consumer.stats();
  }

  ScratchFolder folder_;
  std::string queue_path_ = folder_.file("queue.db");
  Points points_;
  std::unique_ptr<Publisher> publisher_;
  std::uint64_t token_ = 0;
};

TYPED_TEST_SUITE_P(InboxOnDatabase);

inline constexpr DatabaseTime kSent{std::chrono::microseconds(1'700'000'000'123'000)};

TYPED_TEST_P(InboxOnDatabase, what_the_consumer_wrote_can_be_confirmed_and_is_closed_then) {
  this->publish({"a/order.placed/1", "a/order.placed/2"}, 3, kSent);
  EXPECT_EQ(this->consume(2).done, 2U);
  const auto rows = this->pending();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].verdict, Verdict::done);
  EXPECT_EQ(rows[0].epoch, 3U);
  EXPECT_EQ(rows[0].sent_at, kSent);
  ASSERT_TRUE(this->confirmed(rows).ok());
  EXPECT_TRUE(this->pending().empty()) << "the times must be spelt alike on both sides";
}

TYPED_TEST_P(InboxOnDatabase, I2_a_duplicate_is_confirmed_again_with_the_newer_send_time) {
  this->publish({"a/order.placed/1"}, 1, kSent);
  EXPECT_EQ(this->consume(1).done, 1U);
  const auto rows = this->pending();
  ASSERT_TRUE(this->confirmed(rows).ok());
  this->publish({"a/order.placed/1"}, 1, kSent + std::chrono::seconds(30));
  EXPECT_EQ(this->consume(1).duplicates, 1U);
  ASSERT_EQ(this->pending().size(), 1U);
  EXPECT_EQ(this->pending()[0].sent_at, kSent + std::chrono::seconds(30));
  EXPECT_EQ(this->count("effect"), 1);
}

TYPED_TEST_P(InboxOnDatabase,
             H11_a_parked_message_is_kept_confirmed_as_failed_and_handled_anew_on_replay) {
  this->publish({"a/order.placed/1"}, 1, kSent, "order.renamed");
  EXPECT_EQ(this->consume(1).parked, 1U);
  const auto parked = must(must(this->points_.open_store()->open())->parked("points", 10));
  ASSERT_EQ(parked.size(), 1U);
  EXPECT_EQ(parked[0].message_type, "order.renamed");
  EXPECT_EQ(parked[0].body, "{}");
  ASSERT_EQ(this->pending().size(), 1U);
  EXPECT_EQ(this->pending()[0].verdict, Verdict::failed);
  EXPECT_EQ(this->pending()[0].reason, "no handler for message type 'order.renamed'");

  // Another copy of the same epoch is no replay, whatever the handler would say now.
  this->publish({"a/order.placed/1"}, 1, kSent);
  EXPECT_EQ(this->consume(1).duplicates, 1U);
  EXPECT_EQ(this->pending().at(0).verdict, Verdict::failed);
  EXPECT_EQ(this->count("effect"), 0);

  this->publish({"a/order.placed/1"}, 2, kSent + std::chrono::seconds(1));
  EXPECT_EQ(this->consume(1).done, 1U);
  ASSERT_EQ(this->pending().size(), 1U);
  EXPECT_EQ(this->pending()[0].verdict, Verdict::done);
  EXPECT_EQ(this->pending()[0].epoch, 2U);
}

TYPED_TEST_P(InboxOnDatabase, malformed_ids_are_parked_and_the_others_go_on) {
  this->publish({"no id", "a/order.placed/1"}, 1, kSent);
  const ConsumerStats stats = this->consume(2);
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(stats.done, 1U);
}

TYPED_TEST_P(InboxOnDatabase, later_comes_again_from_the_queue) {
  this->publish({"a/order.placed/1"}, 1, kSent);
  int calls = 0;
  const ConsumerStats stats = this->consume(1, [&](auto& handle, const Delivery& delivery) {
    return ++calls < 3 ? HandlerResult::later() : this->count_effect(handle, delivery);
  });
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(stats.given_back, 2U);
  EXPECT_EQ(calls, 3);
}

TYPED_TEST_P(InboxOnDatabase, C8_ids_are_compared_as_bytes) {
  const std::vector<std::string> ids = {"order/order.placed/ORDER-1", "order/order.placed/ORDER-1 ",
                                        "order/order.placed/order-1", "a%2Fb/order.placed/c",
                                        "a/order.placed/b%2Fc"};
  this->publish(ids, 1, kSent);
  this->publish(ids, 1, kSent);
  const ConsumerStats stats = this->consume(10);
  EXPECT_EQ(stats.done, 5U);
  EXPECT_EQ(stats.duplicates, 5U);
  EXPECT_EQ(this->count("effect"), 5);
}

TYPED_TEST_P(InboxOnDatabase,
             I1_killed_at_each_boundary_over_the_real_queue_each_effect_is_there_once) {
  constexpr int kMessages = 60;
  std::vector<std::string> ids;
  for (int i = 0; i < kMessages; ++i) ids.push_back("a/order.placed/" + std::to_string(i));
  this->publish(ids, 1, kSent);
  this->publish(ids, 1, kSent);
  this->publisher_.reset();
  const auto consume_killed_at = [&](std::optional<Boundary> kill_at) {
    return TestFixture::in_a_process([&] {
      int visits = 0;
      typename TestFixture::WatchedConnection watched{this->points_.connect(),
                                                      [&](Boundary reached) {
                                                        if (reached == kill_at && ++visits == 2)
                                                          std::raise(SIGKILL);
                                                      }};
      ConsumerOptions options;
      options.consumer = "points";
      options.batch_max = 4;
      this->drain(watched, options,
                  Handler<Watched<typename TypeParam::Connection>>(TestFixture::count_watched));
    });
  };
  for (const Boundary boundary :
       {Boundary::before_begin, Boundary::after_begin, Boundary::after_inbox_row,
        Boundary::in_handler, Boundary::before_commit, Boundary::after_commit}) {
    EXPECT_FALSE(consume_killed_at(boundary));
  }
  EXPECT_TRUE(consume_killed_at(std::nullopt));
  EXPECT_EQ(this->count("effect"), kMessages);
  EXPECT_EQ(this->points_.number("SELECT count(DISTINCT message_id) FROM effect"), kMessages);
  EXPECT_EQ(this->count("waybill_inbox WHERE verdict = 'done'"), kMessages);
}

TYPED_TEST_P(InboxOnDatabase,
             I2_two_consumers_with_the_same_messages_share_them_as_done_and_duplicate) {
  const auto deliveries = make_deliveries(100);
  ConsumerStats stats[2];
  const auto consume = [&](ConsumerStats& result) {
    Acks acks(deliveries.size());
    result = this->consume_all(acks, deliveries);
  };
  {
    std::jthread other([&] { consume(stats[0]); });
    consume(stats[1]);
  }
  EXPECT_EQ(stats[0].done + stats[1].done, 100U);
  EXPECT_EQ(stats[0].duplicates + stats[1].duplicates, 100U);
  EXPECT_EQ(this->count("effect"), 100);
}

TYPED_TEST_P(InboxOnDatabase, I3_a_handler_whose_statement_fails_takes_its_inbox_row_back) {
  this->publish({"a/order.placed/1"}, 1, kSent);
  int calls = 0;
  const ConsumerStats stats = this->consume(1, [&](auto& handle, const Delivery& delivery) {
    EXPECT_EQ(this->count("waybill_inbox"), 0) << "the row of the failed try is still there";
    (void)this->count_effect(handle, delivery);
    using Adapter = transaction_adapter<std::remove_reference_t<decltype(handle)>>;
    if (++calls < 3) (void)Adapter::select(handle, {"SELECT no_such_column FROM effect", {}});
    return HandlerResult::done();
  });
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(this->count("effect"), 1);
  EXPECT_EQ(this->count("waybill_inbox WHERE verdict = 'done'"), 1);
}

TYPED_TEST_P(InboxOnDatabase,
             I4_killed_between_commit_and_ack_the_message_is_not_acked_and_not_lost) {
  Acks acks(2);
  const auto deliveries = make_deliveries(2);
  EXPECT_FALSE(TestFixture::in_a_process([&] {
    this->consume_all(acks, deliveries, [](Boundary reached) {
      if (reached == Boundary::before_settle) std::raise(SIGKILL);
    });
  }));
  EXPECT_EQ(acks.count(), 0U);
  EXPECT_EQ(this->count("effect"), 2);
  EXPECT_EQ(this->count("waybill_inbox WHERE confirmed_at IS NULL"), 2);
  EXPECT_EQ(this->consume_all(acks, deliveries).duplicates, 2U);
  EXPECT_EQ(this->count("effect"), 2);
}

TYPED_TEST_P(InboxOnDatabase,
             I6_a_message_that_crashes_the_consumer_is_parked_and_the_others_go_on) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back("a/order.placed/" + std::to_string(i));
  this->publish(ids, 1, kSent);
  this->publisher_.reset();
  const auto consume_until_it_crashes = [&] {
    return TestFixture::in_a_process([&] {
      auto connection = this->points_.connect();
      ConsumerOptions options;
      options.consumer = "points";
      options.crashes_max = 3;
      this->drain(connection.handle(), options,
                  Handler<typename TestFixture::Handle>([](auto& handle, const Delivery& delivery) {
                    if (delivery.message_id == "a/order.placed/7") std::raise(SIGKILL);
                    return TestFixture::count_effect(handle, delivery);
                  }));
    });
  };
  // The first crash makes suspects, the next three count.
  for (int crash = 0; crash < 4; ++crash) EXPECT_FALSE(consume_until_it_crashes());
  EXPECT_TRUE(consume_until_it_crashes());
  EXPECT_EQ(this->count("effect"), 19);
  EXPECT_EQ(this->points_.number("SELECT count(DISTINCT message_id) FROM effect"), 19);
  EXPECT_EQ(this->count("waybill_parked WHERE message_id = 'a/order.placed/7' AND attempts = 3"
                        " AND reason LIKE 'the process ended 3 times%'"),
            1);
  EXPECT_EQ(this->count("waybill_attempt"), 0);
}

// What no handler may do. The one that does it writes its effect first.
TYPED_TEST_P(InboxOnDatabase,
             A1_I1_a_handler_that_ends_the_transaction_of_a_batch_harms_no_neighbour) {
  using Adapter = transaction_adapter<typename TestFixture::Handle>;
  const auto commit = [](auto& handle) { (void)Adapter::commit(handle); };
  const auto rollback = [](auto& handle) { Adapter::rollback(handle); };
  const auto begin = [](auto& handle) { Adapter::begin(handle); };
  using Step = std::function<void(typename TestFixture::Handle&)>;
  const struct {
    const char* name;
    std::vector<Step> steps;
    int effects;  // of its own
  } endings[] = {{"commit", {commit}, 1},
                 {"commit_and_begin", {commit, begin}, 1},
                 {"rollback", {rollback}, 0},
                 {"rollback_and_begin", {rollback, begin}, 0}};
  for (const auto& ending : endings) {
    SCOPED_TRACE(ending.name);
    auto deliveries = make_deliveries(4);
    for (Delivery& delivery : deliveries) delivery.message_id += ending.name;
    const std::string culprit = deliveries[1].message_id;
    const std::string these = " WHERE message_id LIKE '%" + std::string(ending.name) + "'";
    const std::string without_effect =
        "waybill_inbox" + these + " AND message_id NOT IN (SELECT message_id FROM effect)";
    Acks acks(deliveries.size());
    FakeSubscriber subscriber(deliveries, acks);
    ConsumerOptions options = quick_options();
    options.batch_in_one_transaction = true;
    auto connection = this->points_.connect();
    const auto store = this->points_.open_store();
    Consumer<typename TestFixture::Handle> consumer(
        connection.handle(), *store, subscriber, options,
        [&](auto& handle, const Delivery& delivery) {
          HandlerResult result = this->count_effect(handle, delivery);
          if (delivery.message_id != culprit) return result;
          for (const Step& step : ending.steps) {
            try {
              step(handle);
            } catch (const std::exception&) {  // PostgreSQL refuses the COMMIT of a batch
            }
          }
          EXPECT_EQ(this->count(without_effect), 0) << "lost, if the process ends now";
          return result;
        });
    must(consumer.run_once({}, Millis(0)));
    EXPECT_TRUE(acks.all());
    EXPECT_EQ(this->count("effect" + these), 3 + ending.effects);
    EXPECT_EQ(this->points_.number("SELECT count(DISTINCT message_id) FROM effect" + these),
              3 + ending.effects);
    EXPECT_EQ(this->count("waybill_inbox" + these + " AND verdict = 'done'"), 3 + ending.effects);
    EXPECT_EQ(this->count("waybill_parked" + these), 1 - ending.effects);
  }
}

REGISTER_TYPED_TEST_SUITE_P(
    InboxOnDatabase, what_the_consumer_wrote_can_be_confirmed_and_is_closed_then,
    I2_a_duplicate_is_confirmed_again_with_the_newer_send_time,
    H11_a_parked_message_is_kept_confirmed_as_failed_and_handled_anew_on_replay,
    malformed_ids_are_parked_and_the_others_go_on, later_comes_again_from_the_queue,
    C8_ids_are_compared_as_bytes,
    I1_killed_at_each_boundary_over_the_real_queue_each_effect_is_there_once,
    I2_two_consumers_with_the_same_messages_share_them_as_done_and_duplicate,
    I3_a_handler_whose_statement_fails_takes_its_inbox_row_back,
    I4_killed_between_commit_and_ack_the_message_is_not_acked_and_not_lost,
    I6_a_message_that_crashes_the_consumer_is_parked_and_the_others_go_on,
    A1_I1_a_handler_that_ends_the_transaction_of_a_batch_harms_no_neighbour);

}  // namespace waybill::inbox::testing
