#include <gtest/gtest.h>

#include "queue_fixture.hpp"

namespace waybill::testing {
namespace {

TEST(EmbeddedConsole, peek_shows_the_messages_in_order_without_taking_them) {
  QueueFixture queue;
  publish_many(*queue.open_publisher(), "orders", 5, "p");
  const auto first = embedded::peek(queue.options, "orders", 0, 2);
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ((*first)[0].message.message_id, "p/t/0");
  EXPECT_EQ((*first)[0].message.body, "p/t/0");
  const auto rest = embedded::peek(queue.options, "orders", (*first)[1].position, 1000);
  ASSERT_TRUE(rest.ok());
  ASSERT_EQ(rest->size(), 3U);
  EXPECT_EQ((*rest)[2].message.message_id, "p/t/4");
  const auto subscriber = queue.open_subscriber("points", "a");
  EXPECT_EQ(receive_once(*subscriber, std::chrono::seconds(5)).size(), 5U);
}

TEST(EmbeddedConsole, topics_counts_messages_and_the_lag_of_each_group) {
  QueueFixture queue;
  publish_many(*queue.open_publisher(), "orders", 6, "p");
  const auto points = queue.open_subscriber("points", "a");
  settle(*points, receive_once(*points, std::chrono::seconds(5)));
  const auto mail = queue.open_subscriber("mail", "a");
  static_cast<void>(receive_once(*mail, std::chrono::seconds(5)));
  const auto topics = embedded::topics(queue.options);
  ASSERT_TRUE(topics.ok()) << topics.error().to_string();
  ASSERT_EQ(topics->size(), 1U);
  EXPECT_EQ((*topics)[0].topic, "orders");
  EXPECT_EQ((*topics)[0].partitions, queue.options.partitions);
  EXPECT_EQ((*topics)[0].messages, 6);
  ASSERT_EQ((*topics)[0].groups.size(), 2U);
  EXPECT_EQ((*topics)[0].groups[0].group, "mail");
  EXPECT_EQ((*topics)[0].groups[0].lag, 6);
  const auto oldest = embedded::peek(queue.options, "orders", 0, 1);
  ASSERT_TRUE(oldest.ok());
  EXPECT_EQ((*topics)[0].groups[0].oldest_unread, oldest->at(0).published_at);
  EXPECT_EQ((*topics)[0].groups[1].group, "points");
  EXPECT_EQ((*topics)[0].groups[1].lag, 0);
  EXPECT_FALSE((*topics)[0].groups[1].oldest_unread.has_value());
}

TEST(EmbeddedConsole, refuses_a_missing_queue_and_an_unknown_topic_with_a_hint) {
  QueueFixture queue;
  const auto missing = embedded::topics(queue.options);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().remedy, Remedy::fix_call);
  EXPECT_FALSE(missing.error().hint.empty());
  publish_many(*queue.open_publisher(), "orders", 1, "p");
  const auto unknown = embedded::peek(queue.options, "nothing", 0, 10);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().remedy, Remedy::fix_call);
}

}  // namespace
}  // namespace waybill::testing
