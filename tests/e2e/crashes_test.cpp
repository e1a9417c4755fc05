// A message that ends the consumer's process whenever it is handled.
#include <gtest/gtest.h>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

TEST(Crashes, I6_a_message_that_ends_the_process_each_time_is_parked_and_the_others_go_on) {
#ifndef WAYBILL_TEST_POINTS
  GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
#endif
  constexpr int kCrashes = 6;  // once among others, and crashes_max times alone
  Shop shop;
  shop.start_order_service("relay", {"--relay"});
  ASSERT_EQ(shop.place("poison"), 201);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), "1"));
  shop.set_waits_for_port(false);
  const auto start = [&](int number) {  // a group of its own need not wait for its dead member
    shop.start_points_service(
        {"--group", shop.broker().source("orders") + "-" + std::to_string(number)});
  };
  for (int crash = 0; crash < kCrashes; ++crash) {
    shop.arm("points_service", "inbox.after_insert:kill");
    start(crash);
    ASSERT_TRUE(shop.wait_until([&] { return shop.has_ended("points_service"); })) << crash;
  }
  start(kCrashes);
  ASSERT_EQ(shop.place("good"), 201);
  EXPECT_TRUE(shop.wait_for("orders", count("identifier = 'good' AND state = 'SUCCESS'"), "1"));
  EXPECT_TRUE(shop.wait_for("orders", count("identifier = 'poison' AND state = 'DEAD'"), "1"));
  EXPECT_EQ(
      shop.sql("points", "SELECT reason FROM waybill_parked"),
      std::vector<std::string>{"the process ended 5 times while it handled this message alone"});
  EXPECT_EQ(shop.sql("points", "SELECT order_id FROM grants"), std::vector<std::string>{"good"});
}

}  // namespace
}  // namespace waybill::e2e
