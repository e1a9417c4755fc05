// Ids become visible out of order where transactions run side by side: on servers.
#include <gtest/gtest.h>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

constexpr int kOrders = 20;

// A transaction with the smallest id that stays open while later ones commit.
std::unique_ptr<SqlClient> begin_early(Shop& shop) {
  auto early = shop.store().connect(shop.store().url("orders"));
  early->query(
      "BEGIN; INSERT INTO orders (order_id, user_id, amount_cents, points, created_at)"
      " VALUES ('early', 'u1', 4250, 42, 0);"
      "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES"
      " ('order.placed', 'order', 'early', '{\"order_id\":\"early\",\"user_id\":\"u1\","
      "\"points\":42}')");
  return early;
}

TEST(LateCommit, G7_a_small_id_that_commits_seconds_later_is_found) {
  Shop shop;
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.start_relay();
  const auto early = begin_early(shop);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; std::chrono::steady_clock::now() - begun < std::chrono::seconds(3); ++i) {
    const std::string order = "A-" + std::to_string(i);
    ASSERT_EQ(shop.place(order), 201);
    ASSERT_TRUE(
        shop.wait_for("orders", count("identifier = '" + order + "' AND state = 'SUCCESS'"), "1"));
  }
  early->query("COMMIT");
  EXPECT_TRUE(shop.wait_for("orders", count("identifier = 'early' AND state = 'SUCCESS'"), "1", 5));
  EXPECT_EQ(shop.audit(10).at("unfinished").as_int64(), 0);
}

TEST(LateCommit, F5_a_row_that_commits_between_the_read_and_the_mark_is_published) {
#ifndef WAYBILL_TEST_POINTS
  GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
#endif
  Shop shop;
  shop.start_order_service("relay");
  shop.start_points_service();
  const auto early = begin_early(shop);
  for (int i = 0; i < kOrders; ++i) ASSERT_EQ(shop.place("A-" + std::to_string(i)), 201);
  shop.arm("relay", "relay.before_mark:stop");
  shop.start_relay();
  ASSERT_TRUE(shop.wait_until(
      [&] { return shop.log_of("relay").find("relay.before_mark") != std::string::npos; }));
  early->query("COMMIT");
  shop.revive();
  expect_right(shop, kOrders + 1);
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(*) > 0 FROM log WHERE message_id LIKE '%early'"),
            std::vector<std::string>{"1"});
}

}  // namespace
}  // namespace waybill::e2e
