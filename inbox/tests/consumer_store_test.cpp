// The consumer with the real SQLite store, adapter and embedded queue.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "consumer_fixture.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/brokers/embedded.hpp"
#include "waybill/inbox/consumer.hpp"
#include "waybill/stores/sqlite.hpp"

namespace waybill::inbox::testing {
namespace {

using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(10);

struct CountAcks final : OutcomeSink {
  std::size_t acked = 0;
  void on_outcome(const PublishOutcome& outcome) override {
    acked += outcome.result == PublishResult::acked ? 1U : 0U;
  }
};

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}

HandlerResult count_effect(sqlite3*& database, const Delivery& delivery) {
  const Value values[] = {std::string_view(delivery.message_id)};
  (void)transaction_adapter<sqlite3*>::insert(database, {"INSERT INTO effect VALUES (?1)", values});
  return HandlerResult::done();
}

class InboxOnSqlite : public ::testing::Test {
 protected:
  InboxOnSqlite() {
    (void)must(sqlite::apply_schema({.path = path_}, sqlite::SchemaPart::consumer));
    database_ = open_sqlite(path_);
    execute(database_.get(), "CREATE TABLE effect(message_id TEXT NOT NULL)");
    store_ = must(sqlite::open_inbox_store({.path = path_}));
    publisher_ = must(embedded::open_publisher({.path = queue_path_}));
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
  ConsumerStats consume(std::uint64_t settled, Handler<sqlite3*> handler = count_effect) {
    const auto subscriber = must(embedded::open_subscriber(
        {.path = queue_path_}, {.topic = "orders", .group = "points", .member = "m"}));
    ConsumerOptions options;
    options.consumer = "points";
    options.later_wait = Millis(1);
    sqlite3* connection = database_.get();
    Consumer<sqlite3*> consumer(connection, *store_, *subscriber, options,
                                Handlers<sqlite3*>{{"order.placed", std::move(handler)}});
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
    return must(must(store_->open())->pending("points", 0, 1000));
  }

  ScratchFolder folder_;
  std::string path_ = folder_.path("points.db");
  std::string queue_path_ = folder_.path("queue.db");
  Sqlite database_;
  std::unique_ptr<InboxStore> store_;
  std::unique_ptr<Publisher> publisher_;
  std::uint64_t token_ = 0;
};

constexpr DatabaseTime kSent{std::chrono::microseconds(1'700'000'000'123'000)};

TEST_F(InboxOnSqlite, what_the_consumer_wrote_can_be_confirmed_and_is_closed_then) {
  publish({"a/order.placed/1", "a/order.placed/2"}, 3, kSent);
  EXPECT_EQ(consume(2).done, 2U);
  const auto rows = pending();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].verdict, Verdict::done);
  EXPECT_EQ(rows[0].epoch, 3U);
  EXPECT_EQ(rows[0].sent_at, kSent);
  ASSERT_TRUE(must(store_->open())->confirmed("points", rows).ok());
  EXPECT_TRUE(pending().empty()) << "the times must be spelt alike on both sides";
}

TEST_F(InboxOnSqlite, I2_a_duplicate_is_confirmed_again_with_the_newer_send_time) {
  publish({"a/order.placed/1"}, 1, kSent);
  EXPECT_EQ(consume(1).done, 1U);
  const auto rows = pending();
  ASSERT_TRUE(must(store_->open())->confirmed("points", rows).ok());
  publish({"a/order.placed/1"}, 1, kSent + std::chrono::seconds(30));
  EXPECT_EQ(consume(1).duplicates, 1U);
  ASSERT_EQ(pending().size(), 1U);
  EXPECT_EQ(pending()[0].sent_at, kSent + std::chrono::seconds(30));
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), 1);
}

TEST_F(InboxOnSqlite, a_parked_message_is_kept_confirmed_as_failed_and_handled_anew_on_replay) {
  publish({"a/order.placed/1"}, 1, kSent, "order.renamed");
  EXPECT_EQ(consume(1).parked, 1U);
  const auto parked = must(must(store_->open())->parked("points", 10));
  ASSERT_EQ(parked.size(), 1U);
  EXPECT_EQ(parked[0].message_type, "order.renamed");
  EXPECT_EQ(parked[0].body, "{}");
  ASSERT_EQ(pending().size(), 1U);
  EXPECT_EQ(pending()[0].verdict, Verdict::failed);
  EXPECT_EQ(pending()[0].reason, "no handler for message type 'order.renamed'");

  publish({"a/order.placed/1"}, 2, kSent + std::chrono::seconds(1));
  EXPECT_EQ(consume(1).done, 1U);
  ASSERT_EQ(pending().size(), 1U);
  EXPECT_EQ(pending()[0].verdict, Verdict::done);
  EXPECT_EQ(pending()[0].epoch, 2U);
}

TEST_F(InboxOnSqlite, malformed_ids_are_parked_and_the_others_go_on) {
  publish({"no id", "a/order.placed/1"}, 1, kSent);
  const ConsumerStats stats = consume(2);
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(stats.done, 1U);
}

TEST_F(InboxOnSqlite, later_comes_again_from_the_queue) {
  publish({"a/order.placed/1"}, 1, kSent);
  int calls = 0;
  const ConsumerStats stats = consume(1, [&](sqlite3*& database, const Delivery& delivery) {
    return ++calls < 3 ? HandlerResult::later() : count_effect(database, delivery);
  });
  EXPECT_EQ(stats.done, 1U);
  EXPECT_EQ(stats.given_back, 2U);
  EXPECT_EQ(calls, 3);
}

// Consumes what the queue holds; killed when `kill_at` is reached for the second time. Answers
// whether the queue was empty in the end.
bool consume_in_a_process(const std::string& path, const std::string& queue_path,
                          std::optional<Boundary> kill_at) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    int visits = 0;
    TestConnection connection{open_sqlite(path), [&](Boundary reached) {
                                if (reached == kill_at && ++visits == 2) std::raise(SIGKILL);
                              }};
    const auto store = must(sqlite::open_inbox_store({.path = path}));
    const auto subscriber =
        must(embedded::open_subscriber({.path = queue_path, .lease_ttl = Millis(100)},
                                       {.topic = "orders", .group = "points", .member = "m"}));
    ConsumerOptions options;
    options.consumer = "points";
    options.batch_max = 4;
    Consumer<TestConnection> consumer(connection, *store, *subscriber, options, write_effect);
    while (must(consumer.run_once({}, Millis(500))) > 0) {
    }
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(InboxOnSqlite, I1_killed_at_each_boundary_over_the_real_queue_each_effect_is_there_once) {
  constexpr int kMessages = 60;
  std::vector<std::string> ids;
  for (int i = 0; i < kMessages; ++i) ids.push_back("a/order.placed/" + std::to_string(i));
  publish(ids, 1, kSent);
  publish(ids, 1, kSent);
  publisher_.reset();
  store_.reset();
  database_.reset();
  for (const Boundary boundary :
       {Boundary::before_begin, Boundary::after_begin, Boundary::after_inbox_row,
        Boundary::in_handler, Boundary::before_commit, Boundary::after_commit}) {
    EXPECT_FALSE(consume_in_a_process(path_, queue_path_, boundary));
  }
  EXPECT_TRUE(consume_in_a_process(path_, queue_path_, std::nullopt));
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), kMessages);
  EXPECT_EQ(number(path_, "SELECT count(DISTINCT message_id) FROM effect"), kMessages);
  EXPECT_EQ(number(path_, "SELECT count(*) FROM waybill_inbox WHERE verdict = 'done'"), kMessages);
}

// Consumes until nothing comes for a while; the handler of one message ends the process. Answers
// whether this one lived.
bool consume_until_it_crashes(const std::string& path, const std::string& queue_path,
                              const std::string& poison) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const Sqlite database = open_sqlite(path);
    const auto store = must(sqlite::open_inbox_store({.path = path}));
    const auto subscriber =
        must(embedded::open_subscriber({.path = queue_path, .lease_ttl = Millis(100)},
                                       {.topic = "orders", .group = "points", .member = "m"}));
    ConsumerOptions options;
    options.consumer = "points";
    options.crashes_max = 3;
    sqlite3* connection = database.get();
    Consumer<sqlite3*> consumer(
        connection, *store, *subscriber, options,
        Handlers<sqlite3*>{{"order.placed", [&](sqlite3*& handle, const Delivery& delivery) {
                              if (delivery.message_id == poison) std::raise(SIGKILL);
                              return count_effect(handle, delivery);
                            }}});
    while (must(consumer.run_once({}, Millis(500))) > 0) {
    }
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(InboxOnSqlite, I6_a_message_that_crashes_the_consumer_is_parked_and_the_others_go_on) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back("a/order.placed/" + std::to_string(i));
  publish(ids, 1, kSent);
  publisher_.reset();
  store_.reset();
  database_.reset();
  // The first crash makes suspects, the next three count.
  for (int crash = 0; crash < 4; ++crash) {
    EXPECT_FALSE(consume_until_it_crashes(path_, queue_path_, "a/order.placed/7"));
  }
  EXPECT_TRUE(consume_until_it_crashes(path_, queue_path_, "a/order.placed/7"));
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), 19);
  EXPECT_EQ(number(path_, "SELECT count(DISTINCT message_id) FROM effect"), 19);
  EXPECT_EQ(number(path_,
                   "SELECT count(*) FROM waybill_parked WHERE message_id = 'a/order.placed/7' AND "
                   "attempts = 3 AND reason LIKE 'the process ended 3 times%'"),
            1);
  EXPECT_EQ(number(path_, "SELECT count(*) FROM waybill_attempt"), 0);
}

}  // namespace
}  // namespace waybill::inbox::testing
