#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "kafka_fixture.hpp"
#include "publisher.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

Steady now() {
  return std::chrono::steady_clock::now();
}

// Publishes until the outcome is acked; true if that comes in time.
bool heals(Publisher& publisher, const Outgoing& outgoing, Millis patience) {
  const Steady until = now() + patience;
  while (now() < until) {
    if (publish_one(publisher, outgoing).result == PublishResult::acked) return true;
    OutcomeBook nothing;
    publisher.poll(now() + Millis(100), nothing);
  }
  return false;
}

// Everything in the topic from the start, by partition order.
std::vector<Delivery> read_all(KafkaFixture& kafka, std::size_t at_least) {
  const auto subscriber = kafka.open_subscriber(random_name("reader"), "reader");
  std::vector<Delivery> found;
  while (true) {
    const auto more =
        receive(*subscriber, 100, found.size() < at_least ? seconds(10) : Millis(500));
    if (more.empty()) return found;
    found.insert(found.end(), more.begin(), more.end());
    settle(*subscriber, more);
  }
}

TEST(KafkaPublisher, C4_an_unknown_topic_is_destination_down_soon_and_works_once_it_exists) {
  KafkaFixture kafka;
  const auto publisher = kafka.open_publisher();
  const std::string late = random_name("late");
  const Answer missing = publish_one(*publisher, message(1, late, "a/t/1"));
  EXPECT_EQ(missing.result, PublishResult::destination_down) << missing.reason;
  EXPECT_LT(missing.took, seconds(5));
  const Answer again = publish_one(*publisher, message(2, late, "a/t/1"));
  EXPECT_EQ(again.result, PublishResult::destination_down) << again.reason;
  EXPECT_EQ(publish_one(*publisher, message(3, kafka.topic, "a/t/2")).result, PublishResult::acked);
  ASSERT_TRUE(kafka::apply_topology(kafka.options, {late, 1, 1}).ok());
  EXPECT_TRUE(heals(*publisher, message(4, late, "a/t/1"), seconds(10)));
}

TEST(KafkaPublisher, C4_a_name_that_no_topic_can_have_is_destination_down) {
  KafkaFixture kafka;
  const auto publisher = kafka.open_publisher();
  for (const std::string& name : {std::string(), std::string("a b"), std::string(250, 'x')}) {
    const Answer answer = publish_one(*publisher, message(1, name, "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::destination_down) << name << answer.reason;
  }
}

TEST(KafkaPublisher, L3_a_broker_that_is_not_there_is_unreachable_and_the_reason_says_why) {
  kafka::Options options;
  options.publish_timeout = seconds(1);
  const std::map<std::string, std::string> addresses = {{"127.0.0.1:1", "refused"},
                                                        {"no-such-host.invalid:9092", "resolve"}};
  for (const auto& [address, reason] : addresses) {
    options.brokers = address;
    const auto publisher = kafka::open_publisher(options);
    ASSERT_TRUE(publisher.ok()) << publisher.error().to_string();
    const Answer answer = publish_one(**publisher, message(1, "orders", "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::unreachable) << answer.reason;
    EXPECT_NE(answer.reason.find(reason), std::string::npos) << answer.reason;
    EXPECT_LT(answer.took, seconds(5));
  }
}

TEST(KafkaPublisher, L4_what_the_broker_finds_too_large_is_rejected_and_its_batch_goes_on) {
  KafkaFixture kafka(1);
  const std::string topic = random_name("small");
  create_topic(kafka.options, topic, {{"max.message.bytes", "70000"}});
  const auto publisher = kafka.open_publisher();
  const std::string small(1000, 's');
  const std::string large(150'000, 'l');
  std::vector<Outgoing> batch;
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.push_back("a/t/" + std::to_string(i));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    batch.push_back(message(i, topic, ids[i], i == 50 ? large : small, "key"));
  }
  OutcomeBook book;
  ASSERT_EQ(publisher->submit(batch), batch.size());
  const Steady until = now() + seconds(20);
  while (book.count < batch.size() && now() < until) publisher->poll(until, book);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(book.outcomes[i],
              std::vector{i == 50 ? PublishResult::rejected : PublishResult::acked})
        << i;
  }
}

TEST(KafkaPublisher, rejects_ids_that_no_consumer_could_keep) {
  KafkaFixture kafka;
  const auto publisher = kafka.open_publisher();
  const std::string too_long(769, 'i');
  EXPECT_EQ(publish_one(*publisher, message(1, kafka.topic, too_long)).result,
            PublishResult::rejected);
  EXPECT_EQ(publish_one(*publisher, message(2, kafka.topic, {})).result, PublishResult::rejected);
}

TEST(KafkaPublisher, K1_a_window_without_failures_keeps_the_order_of_each_key) {
  KafkaFixture kafka;
  publish_many(*kafka.open_publisher(), kafka.topic, 20'000, "o", 17);
  std::map<std::string, std::vector<int>> by_key;
  for (const Delivery& delivery : read_all(kafka, 20'000)) {
    by_key[delivery.key].push_back(std::stoi(delivery.message_id.substr(4)));
  }
  EXPECT_EQ(by_key.size(), 17U);
  std::size_t count = 0;
  for (const auto& [key, numbers] : by_key) {
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << key;
    count += numbers.size();
  }
  EXPECT_EQ(count, 20'000U);
}

TEST(KafkaPublisher, accepts_no_more_bytes_than_allowed_in_flight) {
  KafkaFixture kafka;
  kafka.options.body_bytes_max = 100'000;
  kafka.options.in_flight_bytes_max = 500'000;
  const auto publisher = kafka.open_publisher();
  const std::string body(100'000, 'b');
  std::vector<Outgoing> batch;
  for (std::uint64_t i = 0; i < 20; ++i) batch.push_back(message(i, kafka.topic, "a/t/1", body));
  const std::size_t accepted = publisher->submit(batch);
  EXPECT_GE(accepted, 1U);
  EXPECT_LE(accepted, 5U);
  OutcomeBook book;
  std::size_t submitted = accepted;
  const Steady until = now() + seconds(20);
  while (book.count < batch.size() && now() < until) {
    publisher->poll(until, book);
    submitted += publisher->submit(std::span(batch).subspan(submitted));
  }
  EXPECT_EQ(book.count, batch.size());
}

TEST(KafkaPublisher, a_fatal_error_resolves_what_is_in_flight_and_a_new_client_goes_on) {
  KafkaFixture kafka;
  auto publisher = kafka.open_publisher();
  ASSERT_EQ(publish_one(*publisher, message(1, kafka.topic, "a/t/0")).result, PublishResult::acked);
  std::vector<Outgoing> batch;
  for (std::uint64_t i = 0; i < 500; ++i) batch.push_back(message(i, kafka.topic, "a/t/1", "b"));
  OutcomeBook book;
  ASSERT_EQ(publisher->submit(batch), batch.size());
  dynamic_cast<kafka::KafkaPublisher&>(*publisher).provoke_fatal_error();
  const Steady until = now() + seconds(20);
  while (book.count < batch.size() && now() < until) publisher->poll(until, book);
  ASSERT_EQ(book.outcomes.size(), batch.size());
  for (const auto& [token, results] : book.outcomes) {
    ASSERT_EQ(results.size(), 1U);
    EXPECT_TRUE(results[0] == PublishResult::acked || results[0] == PublishResult::unknown ||
                results[0] == PublishResult::unreachable)
        << to_string(results[0]);
  }
  publisher->poll(now() + Millis(100), book);
  const Answer next = publish_one(*publisher, message(1000, kafka.topic, "a/t/2"));
  EXPECT_EQ(next.result, PublishResult::acked) << next.reason;
}

TEST(KafkaPublisher, close_keeps_its_deadline_without_a_broker) {
  kafka::Options options;
  options.brokers = "127.0.0.1:1";
  const auto publisher = kafka::open_publisher(options);
  ASSERT_TRUE(publisher.ok());
  const Outgoing outgoing = message(1, "orders", "a/t/1");
  ASSERT_EQ((*publisher)->submit({&outgoing, 1}), 1U);
  OutcomeBook book;
  const Steady started = now();
  (*publisher)->close(started + Millis(200), book);
  EXPECT_LT(now() - started, seconds(3));
  EXPECT_EQ(book.outcomes[1], std::vector{PublishResult::unknown});
}

TEST(KafkaPublisher, B1_a_broker_that_is_down_is_unreachable_and_gets_everything_when_it_is_back) {
  const OwnKafka server;
  KafkaFixture kafka(server.url(), 2);
  kafka.options.publish_timeout = seconds(1);
  const auto publisher = kafka.open_publisher();
  ASSERT_EQ(publish_one(*publisher, message(1, kafka.topic, "a/t/1")).result, PublishResult::acked);
  server.kill();
  // It may have left before the connection was known to be gone.
  const Answer first = publish_one(*publisher, message(2, kafka.topic, "a/t/2"));
  EXPECT_NE(first.result, PublishResult::acked);
  const Answer down = publish_one(*publisher, message(3, kafka.topic, "a/t/3"));
  EXPECT_EQ(down.result, PublishResult::unreachable) << down.reason;
  server.start();
  EXPECT_TRUE(heals(*publisher, message(4, kafka.topic, "a/t/2"), seconds(20)));
  EXPECT_TRUE(heals(*publisher, message(5, kafka.topic, "a/t/3"), seconds(20)));
  std::set<std::string> ids;
  for (const Delivery& delivery : read_all(kafka, 3)) ids.insert(delivery.message_id);
  EXPECT_EQ(ids, (std::set<std::string>{"a/t/1", "a/t/2", "a/t/3"}));
}

TEST(KafkaPublisher, B2_a_lost_answer_is_unknown_and_the_repeat_has_the_same_id) {
  const OwnKafka server;
  KafkaFixture kafka(server.url(), 1);
  kafka.options.publish_timeout = seconds(1);
  const auto publisher = kafka.open_publisher();
  ASSERT_EQ(publish_one(*publisher, message(1, kafka.topic, "a/t/1")).result, PublishResult::acked);
  server.suspend();
  const Answer lost = publish_one(*publisher, message(2, kafka.topic, "a/t/2"));
  server.resume();
  EXPECT_EQ(lost.result, PublishResult::unknown) << lost.reason;
  ASSERT_TRUE(heals(*publisher, message(3, kafka.topic, "a/t/2"), seconds(20)));
  const auto ids = ids_of(read_all(kafka, 3));
  EXPECT_EQ(ids, (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

// Sends numbered messages of some keys, each key with one message in flight, repeating until acked.
class Load final : public OutcomeSink {
 public:
  Load(std::string topic, int keys, int per_key) : topic_(std::move(topic)), per_key_(per_key) {
    for (int key = 0; key < keys; ++key) {
      lanes_.push_back({"k" + std::to_string(key), {}, 0, false});
    }
  }

  void step(Publisher& publisher) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = lanes_[i];
      if (lane.in_flight || lane.next == per_key_) continue;
      lane.id = "a/" + lane.key + "/" + std::to_string(lane.next);
      const Outgoing outgoing = message(i, topic_, lane.id, lane.id, lane.key);
      if (publisher.submit({&outgoing, 1}) == 0) break;
      lane.in_flight = true;
    }
    publisher.poll(now() + Millis(100), *this);
  }

  void on_outcome(const PublishOutcome& outcome) override {
    Lane& lane = lanes_.at(outcome.token);
    EXPECT_TRUE(lane.in_flight) << "a second outcome";
    lane.in_flight = false;
    if (outcome.result == PublishResult::acked) {
      ++lane.next;
      ++acked;
    } else {
      EXPECT_NE(outcome.result, PublishResult::rejected) << outcome.reason;
      ++failed;
    }
  }

  [[nodiscard]] std::size_t size() const {
    return lanes_.size() * static_cast<std::size_t>(per_key_);
  }

  std::size_t acked = 0;
  std::size_t failed = 0;

 private:
  struct Lane {
    std::string key;
    std::string id;
    int next = 0;
    bool in_flight = false;
  };
  const std::string topic_;
  const int per_key_;
  std::vector<Lane> lanes_;
};

TEST(KafkaPublisher,
     K1_nothing_acked_is_lost_or_out_of_order_when_the_broker_is_killed_under_load) {
  const OwnKafka server;
  KafkaFixture kafka(server.url(), 4);
  kafka.options.publish_timeout = seconds(2);
  const auto publisher = kafka.open_publisher();
  Load load(kafka.topic, 50, 100);
  const Steady until = now() + seconds(90);
  for (const std::size_t kill_at : {load.size() / 4, load.size() / 2}) {
    while (load.acked < kill_at && now() < until) load.step(*publisher);
    server.kill();
    const std::size_t before = load.failed;
    while (load.failed < before + 50 && now() < until) load.step(*publisher);
    server.start();
  }
  while (load.acked < load.size() && now() < until) load.step(*publisher);
  ASSERT_EQ(load.acked, load.size());
  std::map<std::string, int> next;
  for (const Delivery& delivery : read_all(kafka, load.size())) {
    const int number = std::stoi(delivery.message_id.substr(delivery.message_id.rfind('/') + 1));
    int& expected = next[delivery.key];
    ASSERT_LE(number, expected) << delivery.message_id << " came before its turn";
    expected = std::max(expected, number + 1);
  }
  for (const auto& [key, count] : next) EXPECT_EQ(count, 100) << key;
  EXPECT_EQ(next.size(), 50U);
}

TEST(KafkaPublisher, H5_a_wiped_broker_is_destination_down_until_its_topic_is_there_again) {
  const OwnKafka server;
  KafkaFixture kafka(server.url(), 1);
  kafka.options.publish_timeout = seconds(2);
  const auto publisher = kafka.open_publisher();
  publish_many(*publisher, kafka.topic, 100, "before");
  server.wipe_and_start();
  PublishResult result = PublishResult::acked;
  const Steady until = now() + seconds(20);
  while (result != PublishResult::destination_down && now() < until) {
    result = publish_one(*publisher, message(1, kafka.topic, "after/t/0", "b", "k0")).result;
    ASSERT_NE(result, PublishResult::acked);
    ASSERT_NE(result, PublishResult::rejected);
  }
  EXPECT_EQ(result, PublishResult::destination_down);
  ASSERT_TRUE(kafka::apply_topology(kafka.options, {kafka.topic, 1, 1}).ok());
  EXPECT_TRUE(heals(*publisher, message(2, kafka.topic, "after/t/0", "b", "k0"), seconds(20)));
  EXPECT_EQ(ids_of(read_all(kafka, 1)).at(0), "after/t/0");
}

}  // namespace
}  // namespace waybill::testing
