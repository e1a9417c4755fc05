// A broker that is killed, or comes back empty, between the example's services.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
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
    // The largest message is Kafka's by default.
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/conf") << "max_message_size = 1048576\n";
    broker_ = std::make_unique<testing::Server>(
        testing::Server::own(WAYBILL_SERVERS_TOOLS, WAYBILL_BROKER, folder_,
                             "WAYBILL_RABBITMQ_CONF='" + folder_ + "/conf'"));
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
  // Order n has the key n modulo 2.
  void place_by_key(int orders) {
    for (int n = 0; n < orders; ++n) {
      shop.place_by_sql(std::to_string(n), R"({"key":"k)" + std::to_string(n % 2) + R"("})");
    }
  }
  void expect_order_of_keys() {
    std::map<int, int> last;
    for (const std::string& id :
         shop.sql("points", "SELECT message_id FROM waybill_inbox ORDER BY position")) {
      const int n = std::stoi(id.substr(id.rfind('/') + 1));
      const auto [known, is_first] = last.try_emplace(n % 2, n);
      if (is_first) continue;
      EXPECT_LT(known->second, n);
      known->second = n;
    }
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

TEST_F(BrokerKilled, K3_the_next_leaves_after_the_confirmation_though_the_broker_came_back_empty) {
  start_order_service("relay");
  ASSERT_EQ(shop.waybill("routes set order.placed --ordering confirmed").exit_code, 0);
  place_by_key(12);
  shop.start_relay();
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), "2")) << "one of each key";
  broker_->kill_and_empty();
  broker_->start();
  make_topic();
  start_points_service();
  expect_right(shop, 12, 60);
  expect_order_of_keys();
}

TEST_F(BrokerKilled, K2_L4_what_the_broker_refuses_is_dead_and_parks_its_key_until_it_is_replayed) {
  start_order_service("relay");
  ASSERT_EQ(shop.waybill("routes set order.placed --ordering publish").exit_code, 0);
  place_by_key(10);
  const auto content =
      shop.sql("orders", "SELECT content FROM local_message WHERE identifier = '4'");
  const std::string set_content = "UPDATE local_message SET content = ";
  shop.sql("orders", set_content + "REPEAT('x', 1100000) WHERE identifier = '4'");
  shop.set_relay_environment({"WAYBILL_RELAY_REFUSALS_MAX=2", "WAYBILL_RELAY_RETRY_FIRST=50ms"});
  shop.start_relay();
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'DEAD'"), "1"));
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'PARKED'"), "2")) << "behind it";
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SENT' AND gmt_create < gmt_modified"), "7"));
  EXPECT_EQ(shop.sql("orders", "SELECT refusals FROM local_message_delivery WHERE refusals > 0"),
            std::vector<std::string>{"2"});
  EXPECT_TRUE(shop.wait_until([&] {
    return shop.log_of("relay").find("is DEAD") != std::string::npos;
  })) << "alarmed";
  start_points_service();
  shop.sql("orders", set_content + "'" + content.at(0) + "' WHERE identifier = '4'");
  ASSERT_EQ(
      shop.waybill("messages replay order/order.placed/4 --reason mended --operator ann").exit_code,
      0);
  expect_right(shop, 10, 60);
  expect_order_of_keys();
}

TEST_F(BrokerKilled, L3_a_destination_that_is_down_slows_nobody_else_and_counts_nothing) {
  start_order_service("relay");
  ASSERT_EQ(shop.waybill("routes set audit --destination audit").exit_code, 0);
  std::ofstream(shop.file("waybill.toml"))
      << "[destinations.audit]\nurl = \"queue://" << shop.file("audit.db") << "\"\n";
  broker_->kill();
  place("A-", 20);
  std::string rows;
  for (int i = 0; i < 1000; ++i) {
    rows += (i == 0 ? "" : ", ") + ("('audit', 'order', '" + std::to_string(i)) + "', '{}')";
  }
  shop.sql(
      "orders",
      "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES " + rows);
  shop.start_relay({"--config", shop.file("waybill.toml")});
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "1000"));
  EXPECT_EQ(shop.sql("orders", count("state = 'INIT'")), std::vector<std::string>{"20"});
  EXPECT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM local_message_delivery"),
            std::vector<std::string>{"0"});
  broker_->start();
  start_points_service();
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "1020", 60));
}

}  // namespace
}  // namespace waybill::e2e
