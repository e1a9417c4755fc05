#include <gtest/gtest.h>

#include "kafka_fixture.hpp"

namespace waybill::testing {
namespace {

kafka::Options shared_options() {
  kafka::Options options;
  options.brokers = shared_kafka().url();
  return options;
}

// What is wrong, in one line: remedy, text and hint.
std::string told(const Status& status) {
  if (status.ok()) return "ok";
  return std::string(to_string(status.error().remedy)) + ": " + status.error().to_string();
}

void expect_told(const Status& status, Remedy remedy, const std::string& part) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().remedy, remedy) << told(status);
  EXPECT_NE(status.error().text.find(part), std::string::npos) << told(status);
  EXPECT_FALSE(status.error().hint.empty()) << told(status);
}

TEST(KafkaTopology, C4_says_what_is_missing_and_creates_it_only_when_asked) {
  const kafka::Options options = shared_options();
  const kafka::Topology wanted{random_name("wanted"), 3, 1};
  for (int i = 0; i < 2; ++i) {
    expect_told(kafka::check_topology(options, wanted), Remedy::fix_call, "does not exist");
  }
  for (int i = 0; i < 2; ++i) {
    const Status applied = kafka::apply_topology(options, wanted);
    EXPECT_TRUE(applied.ok()) << told(applied);
  }
  EXPECT_EQ(told(kafka::check_topology(options, wanted)), "ok");
  EXPECT_EQ(told(kafka::check_topology(options, {wanted.topic})), "ok");
}

TEST(KafkaTopology, tells_a_topic_of_another_shape_and_leaves_it_alone) {
  const kafka::Options options = shared_options();
  const std::string topic = random_name("shape");
  ASSERT_TRUE(kafka::apply_topology(options, {topic, 2, 1}).ok());
  expect_told(kafka::check_topology(options, {topic, 4, 1}), Remedy::fix_call, "has 2 partitions");
  expect_told(kafka::apply_topology(options, {topic, 4, 1}), Remedy::fix_call, "has 2 partitions");
  expect_told(kafka::check_topology(options, {topic, 2, 3}), Remedy::fix_call, "keeps 1 copies");
  EXPECT_EQ(told(kafka::check_topology(options, {topic, 2, 1})), "ok");
}

TEST(KafkaTopology, tells_a_limit_below_the_largest_body) {
  kafka::Options options = shared_options();
  const std::string topic = random_name("limit");
  create_topic(options, topic, {{"max.message.bytes", "100000"}});
  expect_told(kafka::check_topology(options, {topic}), Remedy::fix_call, "100000 bytes");
  options.body_bytes_max = 30'000;
  EXPECT_EQ(told(kafka::check_topology(options, {topic})), "ok");
}

TEST(KafkaTopology, C6_what_a_topic_takes_is_known_before_a_commit) {
  const kafka::Options options = shared_options();
  const std::string topic = random_name("limit");
  create_topic(options, topic, {{"max.message.bytes", "100000"}});
  const auto limit = kafka::body_bytes_max(options, topic);
  ASSERT_TRUE(limit.ok()) << limit.error().to_string();
  const auto publisher = kafka::open_publisher(options);
  ASSERT_TRUE(publisher.ok());
  const auto publish = [&](std::size_t bytes) {
    return publish_one(**publisher, message(1, topic, "a/t/1", std::string(bytes, 'x'))).result;
  };
  EXPECT_EQ(publish(*limit), PublishResult::acked);
  EXPECT_EQ(publish(100'000), PublishResult::rejected);

  const std::string usual = random_name("usual");
  ASSERT_TRUE(kafka::apply_topology(options, {usual, 1, 1}).ok());
  EXPECT_EQ(*kafka::body_bytes_max(options, usual), options.body_bytes_max);
  const auto missing = kafka::body_bytes_max(options, random_name("missing"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().remedy, Remedy::fix_call);
}

TEST(KafkaTopology, tells_what_the_broker_refuses_to_create) {
  expect_told(kafka::apply_topology(shared_options(), {random_name("copies"), 1, 5}),
              Remedy::fix_call, "cannot create");
  expect_told(kafka::apply_topology(shared_options(), {"a b", 1, 1}), Remedy::fix_call, "a b");
}

TEST(KafkaTopology, a_broker_that_is_not_there_is_worth_a_retry) {
  kafka::Options options;
  options.brokers = "kafka://127.0.0.1:1";
  options.admin_timeout = std::chrono::seconds(60);
  const Steady asked = std::chrono::steady_clock::now();
  expect_told(kafka::check_topology(options, {"orders"}), Remedy::retry, "refused");
  expect_told(kafka::apply_topology(options, {"orders"}), Remedy::retry, "127.0.0.1:1");
  EXPECT_LT(std::chrono::steady_clock::now() - asked, options.admin_timeout / 2)
      << "told at once, not when the time is up";
}

}  // namespace
}  // namespace waybill::testing
