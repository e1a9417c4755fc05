// A process that is started before its database waits for it; one that is configured wrongly ends.
#include <gtest/gtest.h>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

TEST(StartUp, A3_whoever_starts_before_the_database_waits_for_it) {
  Shop shop(Host::own);
  shop.start_order_service("relay");
  ASSERT_EQ(shop.place("A-1"), 201);
  shop.start_points_service();
  shop.stop("order_service");
  shop.stop("points_service");
  shop.store().set_down(true);
  shop.set_waits_for_port(false);
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.start_relay();
  for (const char* process : {"order_service", "points_service", "relay"}) {
    ASSERT_TRUE(shop.wait_until([&] {
      return shop.log_of(process).find("waiting for the ") != std::string::npos;
    })) << process;
    EXPECT_FALSE(shop.has_ended(process)) << shop.log_of(process);
    shop.stop(process);
  }
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.start_relay();
  shop.store().set_down(false);
  expect_right(shop, 1);
  EXPECT_TRUE(shop.place_until_answered("A-2"));
  expect_right(shop, 2);
  for (const char* process : {"order_service", "points_service", "relay"}) shop.stop(process);
}

TEST(StartUp, a_schema_that_is_missing_ends_the_relay_with_what_to_do) {
  Shop shop;
  shop.sql("orders", "CREATE TABLE orders (id bigint)");
  const auto ran = shop.waybill("relay --queue " + shop.broker().url());
  EXPECT_EQ(ran.exit_code, 2) << ran.output;
  EXPECT_NE(ran.output.find("waybill schema apply"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace waybill::e2e
