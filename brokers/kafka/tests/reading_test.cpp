#include "reading.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace waybill::kafka {
namespace {

Delivery named(std::int64_t offset) {
  Delivery delivery;
  delivery.message_id = std::to_string(offset);
  return delivery;
}

TEST(KafkaReading, commits_behind_the_last_ack_without_a_gap) {
  Reading reading;
  for (const std::int64_t offset : {3, 4, 7, 8}) reading.add(offset, named(offset));
  EXPECT_FALSE(reading.to_commit());
  for (std::uint64_t token = 1; token <= 4; ++token) ASSERT_TRUE(reading.deliver(token));
  EXPECT_FALSE(reading.deliver(5));
  reading.ack(4);
  reading.ack(8);
  EXPECT_FALSE(reading.to_commit());
  reading.ack(3);
  EXPECT_EQ(reading.to_commit(), 5);
  reading.committed(5);
  EXPECT_FALSE(reading.to_commit());
  reading.ack(7);
  EXPECT_EQ(reading.to_commit(), 9);
  EXPECT_EQ(reading.size(), 0U);
  EXPECT_EQ(reading.bytes(), 0U);
}

TEST(KafkaReading, an_older_offset_means_another_log) {
  Reading reading;
  reading.add(5, named(5));
  EXPECT_TRUE(reading.can_add(6));
  EXPECT_FALSE(reading.can_add(5));
  EXPECT_FALSE(reading.can_add(0));
}

TEST(KafkaReading, whatever_is_settled_in_any_order_comes_once_acked_and_in_order_until_then) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Reading reading;
  std::set<std::int64_t> delivered;
  std::set<std::int64_t> acked;
  std::set<std::int64_t> waiting;
  std::int64_t next = 0;
  for (std::uint64_t step = 1; acked.size() < 500; ++step) {
    const auto action = random() % 4;
    if (action == 0 && next < 500) {
      waiting.insert(next);
      reading.add(next, named(next));
      ++next;
    } else if (action == 1) {
      const auto given = reading.deliver(step);
      ASSERT_EQ(given.has_value(), !waiting.empty());
      if (!given) continue;
      ASSERT_EQ(given->offset, *waiting.begin());
      ASSERT_EQ(given->delivery->message_id, std::to_string(given->offset));
      waiting.erase(given->offset);
      delivered.insert(given->offset);
    } else if (!delivered.empty()) {
      auto chosen = delivered.begin();
      std::advance(chosen, random() % delivered.size());
      const bool is_acked = random() % 2 == 0;
      if (is_acked) reading.ack(*chosen);
      if (!is_acked) reading.again(*chosen);
      (is_acked ? acked : waiting).insert(*chosen);
      delivered.erase(chosen);
    }
    std::int64_t expected = 0;
    while (acked.contains(expected)) ++expected;
    ASSERT_EQ(reading.to_commit().value_or(0), expected);
    ASSERT_EQ(reading.waiting(), waiting.size());
  }
  EXPECT_EQ(reading.size(), 0U);
  EXPECT_EQ(reading.bytes(), 0U);
}

}  // namespace
}  // namespace waybill::kafka
