// Confirmations by a topic of a real broker instead of HTTP.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "broker.hpp"
#include "shop.hpp"

namespace waybill::e2e {
namespace {

const std::string kStates = "SELECT DISTINCT state FROM local_message";
const std::string kPending = "SELECT COUNT(*) FROM waybill_inbox WHERE confirmed_at IS NULL";

class ReplyTopic : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made =
        shop.waybill("broker apply " + topic + " " + replies + " --queue " + broker_url());
    ASSERT_EQ(made.exit_code, 0) << made.output;
    for (const char* name : {"order_service", "relay", "points_service"}) {
      shop.set_broker(name, broker_url());
    }
  }
  void start_points_service() {
    shop.start_points_service({"--topic", topic, "--group", topic, "--confirm-topic", replies});
  }
  void place(const std::string& prefix, int orders) {
    for (int i = 0; i < orders; ++i) ASSERT_EQ(shop.place(prefix + std::to_string(i)), 201);
  }

  const std::string topic = "orders-" + std::to_string(std::random_device()());
  const std::string replies = topic + "-replies";
  Shop shop;
};

TEST_F(ReplyTopic, H1_the_order_service_reads_what_the_points_service_writes) {
  shop.start_order_service("async", {"--topic", topic, "--confirm-topic", replies, "--relay"});
  start_points_service();
  place("A-", 30);
  expect_right(shop, 30);
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"SUCCESS"});
  EXPECT_TRUE(shop.wait_for("points", kPending, "0"));
}

TEST_F(ReplyTopic, H1_H8_a_relay_reads_it_and_replies_wait_while_there_is_none) {
  std::ofstream(shop.file("keys.toml"))
      << "[[key]]\nid = \"k1\"\nconsumer = \"points\"\nsecret = \"a-secret-of-the-tests\"\n";
  shop.set_relay_environment({"WAYBILL_CONFIRM_REPLY_DESTINATION=" + replies,
                              "WAYBILL_CONFIRM_KEYS_FILE=" + shop.file("keys.toml")});
  shop.start_order_service("sync", {"--topic", topic});
  start_points_service();
  place("A-", 20);
  EXPECT_TRUE(shop.wait_for("points", kPending, "0"));
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"SENT"})
      << "the broker has the replies, and nobody read them";
  shop.start_relay();
  expect_right(shop, 20);
  shop.kill("relay");
  place("B-", 20);
  shop.start_relay();
  expect_right(shop, 40);
  EXPECT_EQ(shop.sql("orders", kStates), std::vector<std::string>{"SUCCESS"});
}

}  // namespace
}  // namespace waybill::e2e
