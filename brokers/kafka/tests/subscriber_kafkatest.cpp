#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "kafka_fixture.hpp"
#include "waybill/message_id.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

Steady now() {
  return std::chrono::steady_clock::now();
}

// Where the group of a fixture stands, once it is `expected` or patience ends.
std::int64_t committed_soon(KafkaFixture& kafka, Subscriber& subscriber, std::int64_t expected) {
  std::int64_t offset = -1;
  const Steady until = now() + seconds(10);
  do {
    EXPECT_TRUE(receive(subscriber, 1, Millis(20)).empty());
    offset = committed(kafka.options, kafka.topic, kafka.topic + "-points", 0);
  } while (offset != expected && now() < until);
  return offset;
}

std::vector<Delivery> pick(const std::vector<Delivery>& from, std::initializer_list<int> which) {
  std::vector<Delivery> picked;
  for (const int i : which) picked.push_back(from.at(static_cast<std::size_t>(i)));
  return picked;
}

TEST(KafkaSubscriber, I4_commits_what_is_acked_without_a_gap_and_nothing_else) {
  KafkaFixture kafka(1);
  publish_many(*kafka.open_publisher(), kafka.topic, 5, "a", 1);
  const auto subscriber = kafka.open_subscriber("points", "a");
  const auto five = receive(*subscriber, 5);
  ASSERT_EQ(five.size(), 5U);
  EXPECT_TRUE(receive(*subscriber, 1, Millis(300)).empty());
  EXPECT_LT(committed(kafka.options, kafka.topic, kafka.topic + "-points", 0), 0);
  settle(*subscriber, pick(five, {0, 1, 3}));
  EXPECT_EQ(committed_soon(kafka, *subscriber, 2), 2);
  settle(*subscriber, pick(five, {4}));
  EXPECT_EQ(committed_soon(kafka, *subscriber, 2), 2);
  settle(*subscriber, pick(five, {2}));
  EXPECT_EQ(committed_soon(kafka, *subscriber, 5), 5);
}

TEST(KafkaSubscriber, delivers_again_in_order_before_anything_behind_it) {
  KafkaFixture kafka(1);
  publish_many(*kafka.open_publisher(), kafka.topic, 6, "a", 1);
  const auto subscriber = kafka.open_subscriber("points", "a");
  const auto first = receive(*subscriber, 4);
  ASSERT_EQ(first.size(), 4U);
  settle(*subscriber, pick(first, {3, 1}), Settle::again);
  settle(*subscriber, pick(first, {0, 2}));
  const auto second = receive(*subscriber, 4);
  EXPECT_EQ(ids_of(second), (std::vector<std::string>{"a/t/1", "a/t/3", "a/t/4", "a/t/5"}));
  settle(*subscriber, second);
  EXPECT_EQ(committed_soon(kafka, *subscriber, 6), 6);
}

TEST(KafkaSubscriber, pauses_at_unsettled_max_and_goes_on_when_there_is_room) {
  KafkaFixture kafka(1);
  kafka.options.unsettled_max = 10;
  publish_many(*kafka.open_publisher(), kafka.topic, 35, "a", 1);
  const auto subscriber = kafka.open_subscriber("points", "a");
  std::vector<std::string> seen;
  while (seen.size() < 35) {
    const auto batch = receive(*subscriber, 10, seconds(5));
    ASSERT_FALSE(batch.empty()) << seen.size();
    if (batch.size() == 10) {
      EXPECT_TRUE(receive(*subscriber, 1, Millis(20)).empty());
    }
    for (const Delivery& delivery : batch) seen.push_back(delivery.message_id);
    settle(*subscriber, batch);
  }
  for (std::size_t i = 0; i < 35; ++i) EXPECT_EQ(seen[i], "a/t/" + std::to_string(i));
}

TEST(KafkaSubscriber, a_body_larger_than_the_byte_limit_still_comes_alone) {
  KafkaFixture kafka(1);
  kafka.options.unsettled_bytes_max = 1000;
  const auto publisher = kafka.open_publisher();
  const std::string body(5000, 'b');
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(publish_one(*publisher, message(i, kafka.topic, "a/t/1", body)).result,
              PublishResult::acked);
  }
  const auto subscriber = kafka.open_subscriber("points", "a");
  for (int i = 0; i < 3; ++i) {
    const auto one = receive(*subscriber, 1, seconds(10));
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].body, body);
    EXPECT_TRUE(receive(*subscriber, 1, Millis(100)).empty());
    settle(*subscriber, one);
  }
}

TEST(KafkaSubscriber, what_is_settled_is_committed_before_a_partition_moves_to_a_newcomer) {
  KafkaFixture kafka;
  publish_many(*kafka.open_publisher(), kafka.topic, 200, "a", 40);
  const auto first = kafka.open_subscriber("points", "first");
  const auto all = receive(*first, 200);
  ASSERT_EQ(all.size(), 200U);
  const auto second = kafka.open_subscriber("points", "second");
  settle(*first, all);
  const auto publisher = kafka.open_publisher();
  std::size_t of_second = 0;
  const Steady until = now() + seconds(20);
  for (int round = 0; of_second == 0 && now() < until; ++round) {
    publish_many(*publisher, kafka.topic, 40, "b" + std::to_string(round), 40);
    for (Subscriber* member : {first.get(), second.get()}) {
      const auto batch = receive(*member, 40, Millis(50));
      for (const Delivery& delivery : batch) {
        // Those in hand while their partition leaves may come again; those settled before may not.
        EXPECT_TRUE(delivery.message_id.starts_with("b")) << delivery.message_id << " came again";
      }
      if (member == second.get()) of_second += batch.size();
      settle(*member, batch);
    }
  }
  EXPECT_GT(of_second, 0U);
}

TEST(KafkaSubscriber, tokens_of_a_partition_that_left_are_ignored) {
  KafkaFixture kafka;
  publish_many(*kafka.open_publisher(), kafka.topic, 40, "a", 40);
  const auto first = kafka.open_subscriber("points", "first");
  const auto all = receive(*first, 40);
  ASSERT_EQ(all.size(), 40U);
  const auto second = kafka.open_subscriber("points", "second");
  std::vector<Delivery> moved;
  const Steady until = now() + seconds(20);
  while (moved.empty() && now() < until) {
    EXPECT_TRUE(receive(*first, 1, Millis(20)).empty());
    moved = receive(*second, 40, Millis(20));
  }
  ASSERT_FALSE(moved.empty());
  settle(*first, all);
  settle(*second, moved, Settle::again);
  EXPECT_FALSE(receive(*second, 1).empty()) << "acked by a member that does not own it";
}

TEST(KafkaSubscriber, a_member_that_leaves_hands_over_at_once) {
  KafkaFixture kafka;
  publish_many(*kafka.open_publisher(), kafka.topic, 40, "a", 40);
  auto leaver = kafka.open_subscriber("points", "leaver");
  const auto all = receive(*leaver, 40);
  ASSERT_EQ(all.size(), 40U);
  settle(*leaver, {all.begin(), all.begin() + 10});
  leaver.reset();
  const Steady left = now();
  const auto heir = kafka.open_subscriber("points", "heir");
  EXPECT_GE(receive(*heir, 30, seconds(10)).size(), 30U);
  EXPECT_LT(now() - left, kafka.options.session_timeout);
}

TEST(KafkaSubscriber, a_crashed_member_is_back_at_once_under_its_instance) {
  KafkaFixture kafka;
  kafka.options.session_timeout = seconds(30);
  const auto open = [&] {
    auto opened = kafka::open_subscriber(
        kafka.options, {kafka.topic, kafka.topic + "-points", "points", "points-1"});
    EXPECT_TRUE(opened.ok());
    return std::move(*opened);
  };
  publish_many(*kafka.open_publisher(), kafka.topic, 40, "a", 40);
  auto victim = open();
  const auto all = receive(*victim, 40);
  ASSERT_EQ(all.size(), 40U);
  const Steady crashed = now();
  kafka.crash(std::move(victim));
  const auto back = open();
  EXPECT_EQ(receive(*back, 40, seconds(20)).size(), 40U);
  EXPECT_LT(now() - crashed, kafka.options.session_timeout / 2);
}

TEST(KafkaSubscriber, an_instance_that_another_process_took_is_told) {
  KafkaFixture kafka;
  const kafka::SubscriberOptions same{kafka.topic, kafka.topic + "-points", "points", "points-1"};
  auto older = kafka::open_subscriber(kafka.options, same);
  ASSERT_TRUE(older.ok());
  EXPECT_TRUE(receive(**older, 1, seconds(3)).empty());
  auto newer = kafka::open_subscriber(kafka.options, same);
  ASSERT_TRUE(newer.ok());
  std::vector<Delivery> out;
  Status told;
  for (const Steady until = now() + seconds(20); told && now() < until;) {
    EXPECT_TRUE(receive(**newer, 1, Millis(100)).empty());
    told = (*older)->receive(now() + Millis(100), 1, out);
  }
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().remedy, Remedy::fix_call);
  EXPECT_NE(told.error().hint.find("instance"), std::string::npos) << told.error().to_string();
}

TEST(KafkaSubscriber, destroying_it_without_a_broker_keeps_its_deadline) {
  kafka::Options options;
  options.brokers = "127.0.0.1:1";
  options.close_timeout = Millis(500);
  auto subscriber = kafka::open_subscriber(options, {"orders", "points", "a"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  std::vector<Delivery> out;
  EXPECT_TRUE((*subscriber)->receive(now() + Millis(300), 1, out).ok());
  const Steady started = now();
  subscriber->reset();
  EXPECT_LT(now() - started, seconds(3));
}

TEST(KafkaSubscriber, a_broker_that_is_not_there_is_told) {
  kafka::Options options;
  options.brokers = "127.0.0.1:1";
  options.close_timeout = Millis(0);
  auto subscriber = kafka::open_subscriber(options, {"orders", "points", "a"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  std::vector<Delivery> out;
  Status told;
  for (const Steady until = now() + seconds(20); told && now() < until;)
    told = (*subscriber)->receive(now() + Millis(100), 1, out);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().remedy, Remedy::retry);
  EXPECT_NE(told.error().text.find("refused"), std::string::npos) << told.error().to_string();
}

TEST(KafkaSubscriber, a_foreign_message_comes_under_a_name_of_its_own_that_is_no_message_id) {
  KafkaFixture kafka(1);
  run("printf 'k1:plain\\nk2:again' | kcat -P -b " + kafka.options.brokers.substr(8) + " -t " +
      kafka.topic + " -K : -H ce_waybillepoch=many -H ce_waybillsent=yesterday -H other=x");
  run("echo x | kcat -P -b " + kafka.options.brokers.substr(8) + " -t " + kafka.topic +
      " -H ce_id=" + std::string(769, 'i'));
  const auto subscriber = kafka.open_subscriber("points", "a");
  const auto three = receive(*subscriber, 3);
  ASSERT_EQ(three.size(), 3U);
  EXPECT_EQ(three[2].message_id, "kafka:" + kafka.topic + ":0:2") << "no inbox could keep its id";
  EXPECT_EQ(three[0].message_id, "kafka:" + kafka.topic + ":0:0");
  EXPECT_EQ(three[1].message_id, "kafka:" + kafka.topic + ":0:1");
  EXPECT_FALSE(MessageId::parse(three[0].message_id).ok());
  EXPECT_EQ(three[0].body, "plain");
  EXPECT_EQ(three[0].key, "k1");
  EXPECT_EQ(three[0].epoch, 0U);
  EXPECT_GT(three[0].sent_at.time_since_epoch().count(), 0) << "the broker's timestamp";
}

TEST(KafkaSubscriber, C4_an_unknown_topic_is_told_and_works_once_it_exists) {
  KafkaFixture kafka;
  const std::string late = random_name("late");
  auto subscriber = kafka::open_subscriber(kafka.options, {late, late, "a"});
  ASSERT_TRUE(subscriber.ok());
  std::vector<Delivery> out;
  Status told;
  const Steady until = now() + seconds(10);
  while (told.ok() && now() < until) told = (*subscriber)->receive(until, 1, out);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().remedy, Remedy::fix_call);
  EXPECT_NE(told.error().text.find(late), std::string::npos) << told.error().text;
  ASSERT_TRUE(kafka::apply_topology(kafka.options, {late, 1, 1}).ok());
  publish_many(*kafka.open_publisher(), late, 1, "a");
  EXPECT_EQ(receive(**subscriber, 1).size(), 1U);
}

TEST(KafkaSubscriber, a_topic_that_was_made_anew_is_read_from_its_start) {
  KafkaFixture kafka(1);
  publish_many(*kafka.open_publisher(), kafka.topic, 20, "old", 1);
  const auto subscriber = kafka.open_subscriber("points", "a");
  const auto old = receive(*subscriber, 20);
  ASSERT_EQ(old.size(), 20U);
  settle(*subscriber, {old.begin(), old.begin() + 10});
  delete_topic(kafka.options, kafka.topic);
  const auto is_gone = [&] { return !kafka::check_topology(kafka.options, {kafka.topic}).ok(); };
  const Steady until = now() + seconds(20);
  while (!is_gone() && now() < until) std::this_thread::yield();
  ASSERT_TRUE(kafka::apply_topology(kafka.options, {kafka.topic, 1, 1}).ok());
  publish_many(*kafka.open_publisher(), kafka.topic, 5, "new", 1);
  std::vector<Delivery> fresh;
  while (fresh.size() < 5 && now() < until + seconds(10)) {
    // The gap between the two topics may be told as an error.
    static_cast<void>(subscriber->receive(now() + Millis(500), 10, fresh));
  }
  EXPECT_EQ(ids_of(fresh).at(0), "new/t/0");
  EXPECT_EQ(fresh.size(), 5U);
}

}  // namespace
}  // namespace waybill::testing
