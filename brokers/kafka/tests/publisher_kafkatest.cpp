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

TEST(KafkaPublisher, C4_a_name_that_no_topic_can_have_is_destination_down) {
  KafkaFixture kafka;
  const auto publisher = kafka.open_publisher();
  for (const std::string& name : {std::string(), std::string("a b"), std::string(250, 'x')}) {
    const Answer answer = publish_one(*publisher, message(1, name, "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::destination_down) << name << answer.reason;
    EXPECT_TRUE(answer.reason.starts_with("topic '" + name + "': ")) << answer.reason;
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

}  // namespace
}  // namespace waybill::testing
