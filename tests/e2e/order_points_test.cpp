// The promise, over real processes: the order service, the relay and the points service of the
// example.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

const std::string kStates = "SELECT DISTINCT state FROM local_message";

void place_all(Shop& shop, const std::string& prefix, int orders) {
  for (int i = 0; i < orders; ++i) ASSERT_EQ(shop.place(prefix + std::to_string(i)), 201);
}

class EveryDispatch : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryDispatch, F6_a_healthy_run_sends_each_row_once_and_finishes_it) {
  Shop shop;
  shop.start_order_service(GetParam(), {"--relay"});
  shop.start_points_service();
  place_all(shop, "A-", 40);
  expect_right(shop, 40);
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"SUCCESS"});
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(*) FROM log"), std::vector<std::string>{"40"}) << "E5";
  EXPECT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM local_message_delivery"),
            std::vector<std::string>{"0"});
}

TEST_P(EveryDispatch, B3_a_rolled_back_order_leaves_nothing_anywhere) {
  Shop shop;
  shop.start_order_service(GetParam(), {"--relay"});
  shop.start_points_service();
  EXPECT_EQ(shop.place("A-1", true), 409);
  EXPECT_EQ(shop.place("A-2"), 201);
  expect_right(shop, 1);
  EXPECT_EQ(shop.sql("orders", count("identifier = 'A-1'")), std::vector<std::string>{"0"});
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(*) FROM log WHERE message_id LIKE '%A-1'"),
            std::vector<std::string>{"0"});
}

TEST_P(EveryDispatch, C5_an_order_placed_twice_is_one_order_one_row_one_grant) {
  Shop shop;
  shop.start_order_service(GetParam(), {"--relay"});
  shop.start_points_service();
  EXPECT_EQ(shop.place("A-1"), 201);
  EXPECT_EQ(shop.place("A-1"), 200);
  expect_right(shop, 1);
  EXPECT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM local_message"),
            std::vector<std::string>{"1"});
}

TEST_P(EveryDispatch, B1_messages_that_the_broker_never_got_are_sent_later) {
  Shop shop;
  shop.start_order_service(GetParam(),
                           {"--relay", "--fault-lose-publish", "0.5", "--fault-seed", "7"});
  shop.start_points_service();
  place_all(shop, "A-", 20);
  expect_right(shop, 20);
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(DISTINCT message_id) FROM log"),
            std::vector<std::string>{"20"});
}

TEST_P(EveryDispatch, B2_a_lost_acknowledgement_sends_the_same_id_again_and_grants_once) {
  Shop shop;
  shop.start_order_service(GetParam(), {"--relay", "--fault-lose-ack", "0.5", "--fault-seed", "7"});
  place_all(shop, "A-", 20);
  // Nobody confirms yet: what was not heard of is sent again, until all are known to be sent.
  EXPECT_TRUE(shop.wait_for("orders", count("state <> 'SENT'"), "0"));
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(DISTINCT message_id) FROM log"),
            std::vector<std::string>{"20"});
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(*) > 20 FROM log"), std::vector<std::string>{"1"});
  shop.start_points_service();
  expect_right(shop, 20);
}

INSTANTIATE_TEST_SUITE_P(Dispatch, EveryDispatch, ::testing::Values("sync", "async", "relay"),
                         [](const auto& tested) { return tested.param; });

TEST(OrderPoints, A1_every_order_gets_its_points_once_though_all_three_are_killed) {
  Shop shop;
  shop.start_order_service("async");
  shop.start_points_service();
  shop.start_relay();
  int orders = 0;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 20; ++i) ASSERT_EQ(shop.place("A-" + std::to_string(orders++)), 201);
    if (round % 3 == 0) {
      shop.kill("order_service");
      shop.start_order_service("async");
    } else if (round % 3 == 1) {
      shop.kill("points_service");
      shop.start_points_service();
    } else {
      shop.kill("relay");
      shop.start_relay();
    }
  }
  expect_right(shop, orders);
}

TEST(OrderPoints, A4_placing_an_order_never_waits_for_the_points_service) {
  Shop shop;
  shop.start_order_service("async", {"--relay"});
  shop.start_points_service();
  shop.send_signal("points_service", SIGSTOP);
  place_all(shop, "A-", 30);
  EXPECT_EQ(shop.sql("points", "SELECT COUNT(*) FROM grants"), std::vector<std::string>{"0"});
  shop.send_signal("points_service", SIGCONT);
  expect_right(shop, 30);
}

TEST(OrderPoints, A5_needs_no_process_besides_the_two_services) {
  Shop shop;
  shop.start_order_service("relay", {"--relay"});
  shop.start_points_service();
  place_all(shop, "A-", 10);
  expect_right(shop, 10);
}

TEST(OrderPoints, E4_rows_by_plain_sql_are_as_good) {
  Shop shop;
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.place_by_sql("S-1");
  shop.start_relay();
  expect_right(shop, 1);
}

TEST(OrderPoints, E3_what_was_queued_when_the_service_was_killed_is_sent_by_the_relay) {
  Shop shop;
  shop.start_order_service("async", {"--fault-lose-publish", "1"});
  shop.start_points_service();
  place_all(shop, "A-", 30);
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"INIT"});
  shop.kill("order_service");
  shop.start_relay();
  shop.start_order_service("async");
  expect_right(shop, 30);
}

TEST(OrderPoints, H8_while_the_endpoint_is_down_points_are_added_and_the_confirmation_follows) {
  Shop shop;
  shop.start_order_service("sync");
  place_all(shop, "A-", 10);
  shop.kill("order_service");
  shop.start_points_service();
  EXPECT_TRUE(shop.wait_for("points", "SELECT COUNT(*) FROM grants", "10"));
  EXPECT_TRUE(shop.wait_for("points",
                            "SELECT COUNT(*) FROM waybill_inbox WHERE confirmed_at IS NULL", "10"));
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"SENT"});
  shop.start_order_service("sync");
  expect_right(shop, 10);
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"SUCCESS"});
}

TEST(OrderPoints, H4_a_lost_confirmation_is_repeated_until_it_is_answered) {
  Shop shop;
  shop.start_order_service("sync");
  shop.start_points_service({"--fault-lose-confirmation", "0.7", "--fault-seed", "3"});
  place_all(shop, "A-", 10);
  expect_right(shop, 10);
  EXPECT_TRUE(shop.wait_for("points",
                            "SELECT COUNT(*) FROM waybill_inbox WHERE confirmed_at IS NULL", "0"));
}

TEST(OrderPoints, I4_a_consumer_killed_before_its_settling_adds_no_points_twice) {
  Shop shop;
  shop.start_order_service("async", {"--relay"});
  shop.start_points_service();
  for (int round = 0; round < 5; ++round) {
    place_all(shop, "A-" + std::to_string(round) + "-", 20);
    shop.kill("points_service");
    shop.start_points_service();
  }
  expect_right(shop, 100);
}

TEST(OrderPoints, I2_two_services_that_get_the_same_messages_grant_once) {
  Shop shop;
  shop.start_order_service("sync", {"--relay", "--fault-lose-ack", "0.5", "--fault-seed", "7"});
  shop.start_points_service();
  // Where a source has one group of readers, the copies are what both get.
  shop.start_points_service({"--group", shop.broker().source("orders") + "-2"}, "second points");
  place_all(shop, "A-", 40);
  expect_right(shop, 40);
  EXPECT_EQ(shop.sql("points", "SELECT COUNT(*) FROM waybill_inbox"),
            std::vector<std::string>{"40"});
}

TEST(OrderPoints, services_stop_cleanly_when_asked) {
  Shop shop;
  shop.start_order_service("async", {"--relay"});
  shop.start_points_service();
  shop.start_relay();
  place_all(shop, "A-", 5);
  shop.stop("order_service");
  shop.stop("points_service");
  shop.stop("relay");
}

}  // namespace
}  // namespace waybill::e2e
