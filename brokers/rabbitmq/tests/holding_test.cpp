#include "holding.hpp"

#include <gtest/gtest.h>

namespace waybill::rabbitmq {
namespace {

Delivery named(const std::string& id) {
  Delivery delivery;
  delivery.message_id = id;
  return delivery;
}

Holding five_delivered() {
  Holding holding;
  for (std::uint64_t tag = 1; tag <= 5; ++tag) holding.add(tag, named(std::to_string(tag)));
  for (std::uint64_t tag = 1; tag <= 5; ++tag) {
    EXPECT_EQ(holding.deliver()->message_id, std::to_string(tag));
  }
  EXPECT_EQ(holding.deliver(), nullptr);
  return holding;
}

// "3+" is tag 3 and all before it.
std::string text_of(const std::vector<Holding::Ack>& acks) {
  std::string text;
  for (const auto& [tag, multiple] : acks) text += std::to_string(tag) + (multiple ? "+ " : " ");
  return text;
}

TEST(RabbitmqHolding, what_has_nothing_open_before_it_is_acked_at_once) {
  Holding holding = five_delivered();
  EXPECT_EQ(text_of(holding.ack({2, 1, 4})), "2+ 4 ");
  EXPECT_EQ(text_of(holding.ack({3})), "3+ ") << "also what was acked alone behind it";
  EXPECT_EQ(text_of(holding.ack({5})), "5+ ");
  EXPECT_EQ(text_of(holding.ack({})), "");
  EXPECT_EQ(holding.bytes(), 0U);
}

TEST(RabbitmqHolding, what_comes_again_comes_before_what_is_new) {
  Holding holding = five_delivered();
  holding.add(6, named("6"));
  holding.again(4);
  holding.again(2);
  EXPECT_FALSE(holding.is_delivered(4));
  EXPECT_TRUE(holding.is_delivered(3));
  EXPECT_EQ(holding.waiting(), 3U);
  for (const char* expected : {"2", "4", "6"}) EXPECT_EQ(holding.deliver()->message_id, expected);
  EXPECT_EQ(holding.deliver(), nullptr);
}

TEST(RabbitmqHolding, what_is_acked_while_it_waits_is_not_delivered) {
  Holding holding = five_delivered();
  holding.again(2);
  holding.again(3);
  EXPECT_EQ(text_of(holding.ack({2})), "2 ");
  EXPECT_EQ(holding.waiting(), 1U);
  EXPECT_EQ(holding.deliver()->message_id, "3");
  EXPECT_EQ(holding.deliver(), nullptr);
}

}  // namespace
}  // namespace waybill::rabbitmq
