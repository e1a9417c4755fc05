#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>
#include <set>
#include <thread>

#include "faulty_disk.hpp"
#include "queue_fixture.hpp"

namespace waybill::testing {
namespace {

std::size_t partitions_held_by(QueueFixture& queue, const std::string& name) {
  return static_cast<std::size_t>(
      queue.number("SELECT COUNT(*) FROM cursor WHERE holder LIKE '" + name + "%'"));
}

TEST(EmbeddedSubscriber, members_share_partitions_so_that_nobody_starves) {
  QueueFixture queue;
  publish_many(*queue.open_publisher(), "orders", 40, "s");
  std::vector<std::unique_ptr<Subscriber>> members;
  for (const char* name : {"a", "b", "c"}) members.push_back(queue.open_subscriber("points", name));
  const auto balanced = [&] {
    return partitions_held_by(queue, "a") == 2 && partitions_held_by(queue, "b") == 1 &&
           partitions_held_by(queue, "c") == 1;
  };
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < until) {
    for (const auto& member : members) settle(*member, receive_once(*member, Millis(5)));
    if (balanced()) break;
  }
  EXPECT_TRUE(balanced()) << partitions_held_by(queue, "a") << partitions_held_by(queue, "b")
                          << partitions_held_by(queue, "c");
}

TEST(EmbeddedSubscriber, work_in_flight_is_settled_by_its_owner_before_a_partition_moves) {
  QueueFixture queue;
  queue.options.lease_ttl = std::chrono::seconds(2);
  publish_many(*queue.open_publisher(), "orders", 40, "f");
  const auto first = queue.open_subscriber("points", "first");
  const auto batch = receive_once(*first, std::chrono::seconds(5));
  ASSERT_EQ(batch.size(), 40U);
  const auto second = queue.open_subscriber("points", "second");
  // The newcomer announces itself; the owner learns of it, and works on.
  EXPECT_TRUE(receive_once(*second, Millis(20)).empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_TRUE(receive_once(*first, Millis(20)).empty());
  settle(*first, batch);
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (partitions_held_by(queue, "second") < 2 && std::chrono::steady_clock::now() < until) {
    EXPECT_TRUE(receive_once(*first, Millis(20)).empty());
    EXPECT_TRUE(receive_once(*second, Millis(20)).empty())
        << "delivered again though it was settled";
  }
  EXPECT_EQ(partitions_held_by(queue, "second"), 2U);
}

TEST(EmbeddedSubscriber, stops_at_unsettled_max_and_goes_on_when_there_is_room) {
  QueueFixture queue;
  queue.options.unsettled_max = 10;
  publish_many(*queue.open_publisher(), "orders", 40, "u");
  const auto subscriber = queue.open_subscriber("points", "a");
  std::set<std::string> seen;
  while (seen.size() < 40) {
    const auto batch = receive_once(*subscriber, std::chrono::seconds(5));
    ASSERT_FALSE(batch.empty()) << seen.size();
    ASSERT_LE(batch.size(), 10U);
    EXPECT_TRUE(receive_once(*subscriber, Millis(20)).empty());
    for (const Delivery& delivery : batch) seen.insert(delivery.message_id);
    settle(*subscriber, batch);
  }
}

TEST(EmbeddedSubscriber, a_long_partition_starves_no_other) {
  QueueFixture queue;
  const auto publisher = queue.open_publisher();
  publish_many(*publisher, "orders", 500, "long", 1);
  publish_many(*publisher, "orders", 8, "short", 8);
  const auto subscriber = queue.open_subscriber("points", "a");
  std::set<std::string> shorts;
  for (int round = 0; round < 12; ++round) {
    const auto batch = receive_once(*subscriber, std::chrono::seconds(5), 20);
    for (const Delivery& delivery : batch) {
      if (delivery.message_id.starts_with("short")) shorts.insert(delivery.message_id);
    }
    settle(*subscriber, batch);
  }
  EXPECT_GE(shorts.size(), 5U) << "those in other partitions than the long one";
}

TEST(EmbeddedSubscriber, a_settle_that_failed_is_written_by_the_next_one) {
  QueueFixture queue;
  FaultyDisk disk;
  {
    publish_many(*queue.open_publisher(), "orders", 4, "s", 1);
    const auto subscriber = queue.open_subscriber("points", "a");
    const auto batch = receive_once(*subscriber, std::chrono::seconds(5));
    ASSERT_EQ(batch.size(), 4U);
    std::vector<std::uint64_t> tokens;
    for (const Delivery& delivery : batch) tokens.push_back(delivery.token);
    disk.set(DiskFault::full);
    EXPECT_FALSE(subscriber->settle(tokens, Settle::ack).ok());
    disk.set(DiskFault::none);
    EXPECT_EQ(queue.number("SELECT MAX(cursor) FROM cursor"), 0);
    EXPECT_TRUE(subscriber->settle(tokens, Settle::ack).ok());
    EXPECT_EQ(queue.number("SELECT MAX(cursor) FROM cursor"), 4);
  }
}

TEST(EmbeddedSubscriber, waits_for_a_topic_only_when_it_may_not_create_it) {
  QueueFixture queue;
  queue.options.create_topics = false;
  static_cast<void>(queue.open_publisher());
  const auto refused = embedded::open_subscriber(queue.options, {"orders", "points", "a"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().remedy, Remedy::fix_call);
  EXPECT_NE(refused.error().to_string().find("orders"), std::string::npos);
}

TEST(EmbeddedSubscriber, refuses_names_that_are_missing_or_too_long) {
  QueueFixture queue;
  const std::string too_long(256, 'n');
  for (const auto& options :
       {embedded::SubscriberOptions{"", "g", ""}, embedded::SubscriberOptions{"t", "", ""},
        embedded::SubscriberOptions{too_long, "g", ""},
        embedded::SubscriberOptions{"t", "g", too_long}}) {
    EXPECT_FALSE(embedded::open_subscriber(queue.options, options).ok());
  }
}

TEST(EmbeddedSubscriber, skips_what_the_retention_took) {
  QueueFixture queue;
  const auto publisher = queue.open_publisher();
  publish_many(*publisher, "orders", 10, "r", 1);
  const auto subscriber = queue.open_subscriber("points", "a");
  const auto batch = receive_once(*subscriber, std::chrono::seconds(5));
  ASSERT_EQ(batch.size(), 10U);
  settle(*subscriber, batch, Settle::again);
  queue.execute("DELETE FROM log WHERE position <= 9");
  const auto rest = receive_once(*subscriber, std::chrono::seconds(5));
  ASSERT_EQ(rest.size(), 1U);
  settle(*subscriber, rest);
  EXPECT_EQ(queue.number("SELECT MAX(cursor) FROM cursor"), 10);
}

}  // namespace
}  // namespace waybill::testing
