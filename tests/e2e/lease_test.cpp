// Several relays on one table, in real processes: one works, the others take over.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kTtl{2000};  // the relay's default
const std::string kFence = "SELECT fence FROM local_message_lease";
const std::string kUnsent = "SELECT COUNT(*) FROM local_message WHERE state = 'INIT'";

// Two relays; `holder` has the lease and `standby` waits for it.
class Lease : public ::testing::Test {
 protected:
  void SetUp() override {
    shop.start_order_service("relay");
    shop.start_points_service();
    shop.start_relay({}, "holder");
    ASSERT_TRUE(shop.wait_until([&] { return shop.holder() == "holder"; }));
    shop.start_relay({}, "standby");
    ASSERT_EQ(shop.place("before"), 201);
    ASSERT_TRUE(shop.wait_for("orders", kUnsent, "0"));
    // The standby has seen the lease before the holder ends.
    std::this_thread::sleep_for(kTtl / 2);
  }

  // From now until an order that is placed now has left.
  milliseconds time_of_an_order() {
    const auto started = steady_clock::now();
    EXPECT_EQ(shop.place("after"), 201);
    EXPECT_TRUE(shop.wait_for("orders", kUnsent, "0"));
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() - started);
  }

  Shop shop;
};

TEST_F(Lease, L1_a_standby_takes_over_after_kill) {
  shop.kill("holder");
  EXPECT_LE(time_of_an_order(), 2 * kTtl);
  EXPECT_EQ(shop.holder(), "standby");
  expect_right(shop, 2);
}

TEST_F(Lease, L1_a_standby_takes_over_from_one_that_stands_still) {
  shop.send_signal("holder", SIGSTOP);
  EXPECT_LE(time_of_an_order(), 2 * kTtl);
  expect_right(shop, 2);
}

// The host's clock of one relay leaps by hours; its steady clock does not.
TEST_F(Lease, L1_a_clock_that_jumps_changes_nothing) {
  ASSERT_TRUE(std::filesystem::exists(LIBFAKETIME)) << "install faketime, then configure again";
  shop.stop("standby");
  const std::string clock = shop.file("clock");
  const auto set_clock = [&](const char* offset) {
    std::ofstream(clock + ".new") << offset << '\n';
    std::filesystem::rename(clock + ".new", clock);
  };
  const auto leap_for = [&](milliseconds time) {
    for (const auto until = steady_clock::now() + time; steady_clock::now() < until;) {
      for (const char* offset : {"+3h", "-3h", "+0"}) {
        set_clock(offset);
        std::this_thread::sleep_for(milliseconds(300));
      }
    }
  };
  set_clock("+0");
  shop.fake_clock({"FAKETIME_NO_CACHE=1", "FAKETIME_TIMESTAMP_FILE=" + clock});
  shop.start_relay({}, "leaping");
  const auto fence = shop.sql("orders", kFence);
  leap_for(2 * kTtl);
  EXPECT_EQ(shop.sql("orders", kFence), fence) << "nobody took the lease";
  shop.kill("holder");
  EXPECT_LE(time_of_an_order(), 2 * kTtl);
  EXPECT_EQ(shop.holder(), "leaping");
  leap_for(kTtl);
  EXPECT_EQ(shop.place("later"), 201);
  EXPECT_TRUE(shop.wait_for("orders", kUnsent, "0"));
  expect_right(shop, 3);
}

TEST_F(Lease, L1_a_clean_stop_hands_over_at_once) {
  shop.stop("holder");
  EXPECT_LE(time_of_an_order(), kTtl / 2);
  expect_right(shop, 2);
}

TEST_F(Lease, L2_a_zombie_that_wakes_up_changes_nothing_and_stands_by) {
  shop.send_signal("holder", SIGSTOP);
  time_of_an_order();
  const auto copies = shop.sql("queue", "SELECT COUNT(*) FROM log");
  const auto fence = shop.sql("orders", kFence);
  shop.send_signal("holder", SIGCONT);
  std::this_thread::sleep_for(kTtl);
  EXPECT_EQ(shop.sql("orders", kFence), fence);
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(*) FROM log"), copies);
  // It is a standby like any other.
  shop.kill("standby");
  EXPECT_EQ(shop.place("last"), 201);
  EXPECT_TRUE(shop.wait_for("orders", kUnsent, "0"));
  EXPECT_EQ(shop.holder(), "holder");
  expect_right(shop, 3);
}

TEST(Leases, G3_F4_four_relays_killed_at_random_beside_a_sender_lose_nothing) {
  Shop shop;
  shop.start_order_service("async");
  shop.start_points_service();
  const std::vector<std::string> relays = {"relay 1", "relay 2", "relay 3", "relay 4"};
  for (const std::string& name : relays) shop.start_relay({}, name);
  std::mt19937 random(7);
  int orders = 0;
  int kills = 0;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 25; ++i) ASSERT_EQ(shop.place("A-" + std::to_string(orders++)), 201);
    std::string victim = relays[random() % relays.size()];
    if (round % 2 == 0) victim = shop.holder();  // the one that works
    if (victim.empty()) continue;
    shop.kill(victim);
    ++kills;
    shop.start_relay({}, victim);
  }
  EXPECT_GE(kills, 4);
  expect_right(shop, orders, 60);
}

}  // namespace
}  // namespace waybill::e2e
