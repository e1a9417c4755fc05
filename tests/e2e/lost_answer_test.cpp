// The answer to a publish is lost between the order service and a real broker: a TCP gate stands
// between them. The points service reaches the broker directly.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "broker.hpp"
#include "shop.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::e2e {
namespace {

using testing::GateEnd;
using testing::GateKind;
using testing::GateMessage;
using testing::GateProtocol;
using testing::GateSender;

constexpr GateProtocol kProtocol =
    std::string_view(WAYBILL_BROKER) == "kafka" ? GateProtocol::kafka : GateProtocol::amqp;
constexpr std::chrono::steady_clock::duration kSendDeadline = std::chrono::milliseconds(500);
constexpr std::chrono::seconds kSlack{2};  // of a loaded machine
constexpr GateMessage kPublish{GateSender::client, GateKind::publish};
constexpr GateMessage kAnswer{GateSender::server, GateKind::publish};

// The port in "scheme://user@host:port/path", as a place in the text.
std::pair<std::size_t, std::size_t> port_in(const std::string& url) {
  const std::size_t begin = url.rfind(':') + 1;
  return {begin, std::min(url.find('/', begin), url.size())};
}

std::uint16_t port_of(const std::string& url) {
  const auto [begin, end] = port_in(url);
  return static_cast<std::uint16_t>(std::stoi(url.substr(begin, end - begin)));
}

std::string with_port(std::string url, std::uint16_t port) {
  const auto [begin, end] = port_in(url);
  return url.replace(begin, end - begin, std::to_string(port));
}

class LostAnswer : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto made = shop.waybill("broker apply " + topic + " --queue " + broker);
    ASSERT_EQ(made.exit_code, 0) << made.output;
    shop.set_broker("order_service", with_port(broker, gate.port()));
    shop.set_broker("points_service", broker);
    shop.start_order_service(GetParam(), {"--relay", "--topic", topic});
    shop.start_points_service({"--topic", topic, "--group", topic});
    // The connections stand before anything breaks.
    ASSERT_EQ(shop.place("healthy"), 201);
    expect_right(shop, 1);
  }

  [[nodiscard]] std::size_t publishes() const {
    return gate.passed(GateSender::client, GateKind::publish);
  }
  void wait_for_publishes(std::size_t wanted) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (publishes() < wanted) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << publishes() << " publishes passed";
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  std::vector<std::string> state_of(const std::string& order) {
    return shop.sql("orders", "SELECT state FROM local_message WHERE identifier = '" + order + "'");
  }

  const std::string broker = broker_url();
  const std::string topic =
      "orders-" + GetParam() + "-" + std::to_string(::getpid()) + "-" +
      std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  testing::TcpGate gate{"127.0.0.1", port_of(broker), kProtocol};
  Shop shop;
};

TEST_P(LostAnswer, B2_F1_the_broker_got_it_and_the_sender_saw_a_time_out) {
  // Nobody confirms meanwhile, so that the repeat is seen.
  shop.send_signal("points_service", SIGSTOP);
  const std::size_t before = publishes();
  gate.break_at(kAnswer, GateEnd::black_hole);
  EXPECT_EQ(shop.place("lost"), 201) << "the order stays";
  wait_for_publishes(before + 1);
  EXPECT_EQ(state_of("lost"), std::vector<std::string>{"INIT"}) << "not advanced without an answer";
  wait_for_publishes(before + 2);
  EXPECT_TRUE(gate.has_acted());
  shop.send_signal("points_service", SIGCONT);
  expect_right(shop, 2);
  EXPECT_EQ(state_of("lost"), std::vector<std::string>{"SUCCESS"});
  EXPECT_EQ(shop.sql("points", "SELECT COUNT(*) FROM grants"), std::vector<std::string>{"2"});
  EXPECT_EQ(shop.sql("points", "SELECT COUNT(*) FROM waybill_inbox"), std::vector<std::string>{"2"})
      << "both copies have one id";
}

TEST_P(LostAnswer, B1_the_broker_never_got_it) {
  const std::size_t before = publishes();
  gate.break_at(kPublish, GateEnd::black_hole);
  EXPECT_EQ(shop.place("lost"), 201) << "the order stays";
  EXPECT_EQ(state_of("lost"), std::vector<std::string>{"INIT"});
  EXPECT_EQ(publishes(), before);
  expect_right(shop, 2);
  EXPECT_TRUE(gate.has_acted());
  EXPECT_EQ(publishes(), before + 1) << "sent later, once";
}

TEST_P(LostAnswer, A2_A3_B1_E6_an_outage_counts_nothing_and_new_orders_are_quick_after_it) {
  const std::size_t before = publishes();
  gate.break_at({GateSender::client, GateKind::any, 1, true}, GateEnd::reset);
  shop.place_many("A-", 200);
  EXPECT_EQ(publishes(), before);
  EXPECT_EQ(shop.sql("orders", count("state = 'INIT'")), std::vector<std::string>{"200"});
  EXPECT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM local_message_delivery"),
            std::vector<std::string>{"0"})
      << "nothing is counted against a message";
  gate.heal();
  const auto placed = std::chrono::steady_clock::now();
  ASSERT_EQ(shop.place("new"), 201);
  ASSERT_TRUE(shop.wait_for("points", "SELECT COUNT(*) FROM grants WHERE order_id = 'new'", "1"));
  // 5 s are promised; a loaded machine may take longer.
  EXPECT_LE(std::chrono::steady_clock::now() - placed, std::chrono::seconds(10));
  expect_right(shop, 202);
}

TEST_P(LostAnswer, E1_E2_E6_E7_a_broker_that_hangs_costs_at_most_the_deadline_and_no_lock) {
  using std::chrono::steady_clock;
  const bool is_sync = GetParam() == "sync";
  ASSERT_EQ(shop.place("quick"), 201);
  if (is_sync) {
    EXPECT_NE(state_of("quick"), std::vector<std::string>{"INIT"}) << "sent and marked";
  }
  gate.break_at({GateSender::client, GateKind::any, 1, true}, GateEnd::black_hole);
  auto hanging = std::async(std::launch::async, [&] { return shop.place("H-0"); });
  const std::string order = " WHERE order_id = 'H-0'";
  ASSERT_TRUE(shop.wait_for("orders", "SELECT COUNT(*) FROM orders" + order, "1"));
  shop.sql("orders", "UPDATE orders SET points = points" + order);
  if (is_sync) {
    EXPECT_EQ(hanging.wait_for(std::chrono::seconds(0)), std::future_status::timeout)
        << "the row is free while the send hangs";
  }
  EXPECT_EQ(hanging.get(), 201);
  auto quickest = kSendDeadline;
  for (int i = 1; i < 8; ++i) {
    const auto begun = steady_clock::now();
    EXPECT_EQ(shop.place("H-" + std::to_string(i)), 201) << "committed, whatever the broker does";
    const auto took = steady_clock::now() - begun;
    EXPECT_LE(took, kSendDeadline + kSlack);
    if (i > 3) quickest = std::min<steady_clock::duration>(quickest, took);
  }
  EXPECT_LE(quickest, kSendDeadline / 2) << "after a few failures it costs nothing";
  gate.heal();
  expect_right(shop, 10, 60);
}

TEST_P(LostAnswer, A1_connections_that_break_at_random_lose_and_double_nothing) {
  gate.break_at_random(7, 0.2);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(shop.place("A-" + std::to_string(i)), 201);
  EXPECT_TRUE(gate.has_acted());
  gate.heal();
  expect_right(shop, 41, 60);
}

INSTANTIATE_TEST_SUITE_P(Dispatch, LostAnswer, ::testing::Values("sync", "async", "relay"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace waybill::e2e
