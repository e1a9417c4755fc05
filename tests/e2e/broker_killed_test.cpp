// A broker that is killed, or comes back empty, between the example's services.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <random>

#include "broker.hpp"
#include "shop.hpp"

namespace waybill::e2e {
namespace {

class BrokerKilled : public ::testing::Test {
 protected:
  // One server for all tests here: each has a topic of its own, and leaves it running.
  static void SetUpTestSuite() {
    folder_ = "/var/tmp/waybill-e2e-" + std::to_string(std::random_device()());
    broker_ = std::make_unique<testing::Server>(
        testing::Server::own(WAYBILL_SERVERS_TOOLS, WAYBILL_BROKER, folder_));
  }
  static void TearDownTestSuite() {
    broker_.reset();
    std::filesystem::remove_all(folder_);
  }

  void SetUp() override {
    make_topic();
    for (const char* name : {"order_service", "relay", "points_service"}) {
      shop.set_broker(name, url_of(*broker_));
    }
  }
  void make_topic() {
    const auto made = shop.waybill("broker apply " + topic + " --queue " + url_of(*broker_));
    ASSERT_EQ(made.exit_code, 0) << made.output;
  }
  void start_order_service(const std::string& dispatch) {
    shop.start_order_service(dispatch, {"--topic", topic});
    // Of what no consumer confirms, a copy follows soon.
    ASSERT_EQ(shop.waybill("routes set order.placed --confirm-deadline 1s").exit_code, 0);
  }
  void start_points_service() { shop.start_points_service({"--topic", topic, "--group", topic}); }
  void place(const std::string& prefix, int orders) {
    for (int i = 0; i < orders; ++i) ASSERT_EQ(shop.place(prefix + std::to_string(i)), 201);
  }

  static std::string folder_;
  static std::unique_ptr<testing::Server> broker_;
  const std::string topic = "orders-" + std::to_string(std::random_device()());
  Shop shop;
};

std::string BrokerKilled::folder_;
std::unique_ptr<testing::Server> BrokerKilled::broker_;

TEST_F(BrokerKilled, A1_every_order_gets_its_points_once_though_all_four_are_killed) {
  start_order_service("async");
  shop.start_relay();
  start_points_service();
  place("A-", 20);
  broker_->kill();
  place("B-", 20);
  shop.kill("relay");
  shop.start_relay();
  broker_->start();
  place("C-", 20);
  shop.kill("order_service");
  start_order_service("sync");
  place("D-", 20);
  shop.kill("points_service");
  start_points_service();
  place("E-", 20);
  expect_right(shop, 100, 60);
  EXPECT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM local_message WHERE state <> 'SUCCESS'"),
            std::vector<std::string>{"0"});
}

TEST_F(BrokerKilled, H5_what_a_broker_lost_after_its_answer_is_sent_again_and_counts_once) {
  start_order_service("relay");
  shop.start_relay();
  start_points_service();
  place("A-", 10);
  expect_right(shop, 10);
  shop.kill("points_service");
  place("B-", 30);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), "30"));
  broker_->kill_and_empty();
  broker_->start();
  make_topic();
  start_points_service();
  place("C-", 10);
  expect_right(shop, 50, 60);
  EXPECT_EQ(shop.sql("points", "SELECT COUNT(*) FROM waybill_inbox"),
            std::vector<std::string>{"50"});
}

}  // namespace
}  // namespace waybill::e2e
