// What happens to a database server, in the middle of load: nothing is lost, nothing is dead, and
// everything goes on by itself.
#include <gtest/gtest.h>

#include <future>

#include "roles_shop.hpp"

namespace waybill::e2e {
namespace {

constexpr int kOrders = 400;
// After a long outage a confirmation waits 36 s at most; the rest is for a loaded machine.
constexpr int kRecoverySeconds = 60;

// Customers of a shop who try again until they have an answer.
class Load {
 public:
  explicit Load(Shop& shop)
      : placed_(std::async(std::launch::async, [&shop] { shop.place_many("L-", kOrders); })) {}
  void finish() { placed_.get(); }  // throws when one got no answer

 private:
  std::future<void> placed_;
};

class DatabaseServer : public ::testing::Test {
 protected:
  void SetUp() override {
    shop.open();
    ASSERT_EQ(shop.place("before"), 201);
    expect_right(shop, 1);
  }

  // The shop sells again, and what it sells arrives, seconds after the trouble is over.
  void expect_recovery(const std::string& order_id) {
    EXPECT_TRUE(shop.place_until_answered(order_id, kRecoverySeconds));
    EXPECT_TRUE(shop.wait_for("orders",
                              count("identifier = '" + order_id + "' AND state = 'SUCCESS'"), "1",
                              kRecoverySeconds));
  }

  void expect_nothing_counted(int orders) {
    expect_right(shop, orders, 60);
    EXPECT_EQ(shop.sql("orders", "SELECT COALESCE(SUM(refusals), 0) FROM local_message_delivery"),
              std::vector<std::string>{"0"});
  }

  RolesShop shop{"relay"};
};

TEST_F(DatabaseServer, A3_L1_killed_under_load_loses_nothing_and_is_found_again) {
  Load load(shop);
  for (int round = 0; round < 3; ++round) {
    const std::string seen = "before-kill-" + std::to_string(round);
    ASSERT_TRUE(shop.place_until_answered(seen, kRecoverySeconds));
    shop.server().kill();
    EXPECT_NE(shop.place("during"), 201);
    shop.server().start();
  }
  expect_recovery("after");
  load.finish();
  EXPECT_TRUE(shop.place_until_answered("during", kRecoverySeconds));
  expect_nothing_counted(1 + 3 + 1 + kOrders + 1);
}

TEST_F(DatabaseServer, A3_L1_read_only_for_a_while_refuses_orders_and_kills_no_message) {
  Load load(shop);
  shop.server().set_read_only(true);
  ASSERT_TRUE(shop.wait_until([&] { return shop.place("during") != 201; }));
  shop.server().set_read_only(false);
  expect_recovery("after");
  load.finish();
  EXPECT_TRUE(shop.place_until_answered("during", kRecoverySeconds));
  expect_nothing_counted(1 + 1 + kOrders + 1);
}

TEST_F(DatabaseServer, A3_L1_sessions_ended_again_and_again_come_back) {
  Load load(shop);
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(shop.place_until_answered("R-" + std::to_string(round), kRecoverySeconds));
    shop.server().end_sessions();
  }
  expect_recovery("after");
  load.finish();
  expect_nothing_counted(1 + 10 + 1 + kOrders);
}

TEST_F(DatabaseServer, A3_L1_without_a_free_connection_waits_for_one) {
  shop.server().set_full(true);
  EXPECT_NE(shop.place("during"), 201);
  shop.server().set_full(false);
  expect_recovery("after");
  EXPECT_TRUE(shop.place_until_answered("during", kRecoverySeconds));
  expect_nothing_counted(3);
}

}  // namespace
}  // namespace waybill::e2e
