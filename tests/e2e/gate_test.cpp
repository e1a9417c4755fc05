// The connection between a relay and its database becomes a black hole: nothing passes, and nobody
// is told.
#include <gtest/gtest.h>

#include "shop.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kTtl{2000};  // the relay's default
const std::string kFence = "SELECT fence FROM local_message_lease";
const std::string kUnsent = "SELECT COUNT(*) FROM local_message WHERE state = 'INIT'";

TEST(Gate, L1_L2_a_standby_takes_over_from_one_whose_connections_are_black_holes) {
  Shop shop;
  const std::string url = shop.store().url("orders");
  testing::TcpGate gate("127.0.0.1", port_of(url));
  shop.set_url("holder", with_port(url, gate.port()));
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.start_relay({}, "holder");
  ASSERT_TRUE(shop.wait_until([&] { return shop.holder() == "holder"; }));
  shop.start_relay({}, "standby");
  for (int i = 0; i < 50; ++i) ASSERT_EQ(shop.place("A-" + std::to_string(i)), 201);
  expect_right(shop, 50);

  testing::GateMessage any;
  any.and_all = true;
  gate.break_at(any, testing::GateEnd::black_hole);
  const auto started = steady_clock::now();
  ASSERT_EQ(shop.place("B-1"), 201);
  ASSERT_TRUE(shop.wait_until([&] { return shop.holder() == "standby"; }));
  ASSERT_TRUE(shop.wait_for("orders", kUnsent, "0"));
  // Twice the ttl, and what a busy machine adds; what it had in flight is not waited for longer.
  EXPECT_LE(steady_clock::now() - started, 4 * kTtl);
  expect_right(shop, 51);

  // The deposed one changes nothing when it is connected again, and is a standby like any other.
  const auto fence = shop.sql("orders", kFence);
  const auto copies = shop.sql("queue", kCopies);
  gate.heal();
  ASSERT_EQ(shop.place("B-2"), 201);
  expect_right(shop, 52);
  EXPECT_EQ(shop.sql("orders", kFence), fence);
  EXPECT_EQ(std::stoll(shop.sql("queue", kCopies)[0]), std::stoll(copies[0]) + 1);
  shop.kill("standby");
  ASSERT_TRUE(shop.wait_until([&] { return shop.holder() == "holder"; }));
  ASSERT_EQ(shop.place("B-3"), 201);
  expect_right(shop, 53);
}

}  // namespace
}  // namespace waybill::e2e
