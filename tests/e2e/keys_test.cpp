// Order per key over real processes: what the broker got first, in which order.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

constexpr int kKeys = 50;

// Row n of an ordered type; its key is n modulo `keys`.
std::string row(int n, int keys, const std::string& content = "{}") {
  return "('stock.changed', 'stock', '" + std::to_string(n) + "', '" + content +
         R"(', '{"key":"k)" + std::to_string(n % keys) + R"("}'))";
}

void insert_rows(Shop& shop, int from, int to, int keys) {
  std::string rows;
  for (int n = from; n < to; ++n) rows += (rows.empty() ? "" : ", ") + row(n, keys);
  shop.sql("orders",
           "INSERT INTO local_message (message_type, biz_type, identifier, content, headers)"
           " VALUES " +
               rows);
}

// The row numbers in the order in which the broker first got them.
std::vector<int> first_deliveries(Shop& shop) {
  std::vector<int> numbers;
  for (const std::string& id :
       shop.sql("queue", "SELECT message_id FROM log GROUP BY message_id ORDER BY MIN(position)")) {
    numbers.push_back(std::stoi(id.substr(id.rfind('/') + 1)));
  }
  return numbers;
}

void expect_order(Shop& shop, int keys) {
  std::map<int, int> last;
  for (const int n : first_deliveries(shop)) {
    const auto [known, is_first] = last.try_emplace(n % keys, n);
    if (is_first) continue;
    EXPECT_LT(known->second, n) << "key " << n % keys;
    known->second = n;
  }
}

void prepare(Shop& shop, const std::string& ordering) {
  ASSERT_EQ(shop.waybill("schema apply").exit_code, 0);
  ASSERT_EQ(shop.waybill("routes set stock.changed --destination " +
                         shop.broker().destination("stock") + " --ordering " + ordering)
                .exit_code,
            0);
}

TEST(OrderPerKey, K1_four_relays_killed_at_random_deliver_each_key_in_order) {
  constexpr int kRounds = 8;
  constexpr int kRowsOfRound = 100;
  Shop shop;
  prepare(shop, "publish");
  shop.set_relay_environment({"WAYBILL_RELAY_TTL=500ms"});
  const std::vector<std::string> relays = {"relay 1", "relay 2", "relay 3", "relay 4"};
  for (const std::string& name : relays) shop.start_relay({}, name);
  std::mt19937 random(11);
  for (int round = 0; round < kRounds; ++round) {
    insert_rows(shop, round * kRowsOfRound, (round + 1) * kRowsOfRound, kKeys);
    // In the middle of it, and not before somebody works.
    ASSERT_TRUE(shop.wait_until([&] {
      return !shop.holder().empty() && shop.sql("orders", count("state = 'SUCCESS'"))[0] !=
                                           std::to_string(round * kRowsOfRound);
    }));
    const std::string holder = shop.holder();
    const std::string victim =
        round % 2 == 0 && !holder.empty() ? holder : relays[random() % relays.size()];
    shop.kill(victim);
    shop.start_relay({}, victim);
  }
  ASSERT_TRUE(shop.wait_for("orders", count("state <> 'SUCCESS'"), "0", 60));
  EXPECT_EQ(first_deliveries(shop).size(), std::size_t{kRounds} * kRowsOfRound);
  expect_order(shop, kKeys);
}

TEST(OrderPerKey, K2_a_poisoned_row_parks_the_rest_of_its_key_until_it_is_cancelled) {
  constexpr int kPoison = 100;  // of key 0, in the middle of its rows
  Shop shop;
  prepare(shop, "publish");
  insert_rows(shop, 0, kPoison, 2);
  // More than the queue takes.
  shop.sql("orders",
           "INSERT INTO local_message (message_type, biz_type, identifier, content, headers)"
           " VALUES " +
               row(kPoison, 2, std::string((1U << 20) + 1, 'x')));
  insert_rows(shop, kPoison + 1, 2 * kPoison, 2);
  shop.set_relay_environment({"WAYBILL_RELAY_REFUSALS_MAX=2", "WAYBILL_RELAY_RETRY_FIRST=50ms"});
  shop.start_relay();
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'DEAD'"), "1"));
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "150")) << "the other key";
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'PARKED'"), "49"));
  ASSERT_EQ(shop.waybill("messages cancel stock/stock.changed/100 --reason poison --operator ann")
                .exit_code,
            0);
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "199"));
  EXPECT_EQ(first_deliveries(shop).size(), 199U);
  expect_order(shop, 2);
}

TEST(OrderPerKey, K3_the_next_leaves_after_the_confirmation_though_the_broker_is_wiped) {
  constexpr int kOrders = 12;
  Shop shop;
  shop.start_order_service("relay");
  ASSERT_EQ(shop.waybill("routes set order.placed --ordering confirmed --confirm-deadline 500ms")
                .exit_code,
            0);
  for (int n = 0; n < kOrders; ++n) {
    shop.place_by_sql(std::to_string(n), R"({"key":"k)" + std::to_string(n % 2) + R"("})");
  }
  shop.start_relay();
  // One of each key, and no second one before the first is confirmed.
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), "2"));
  EXPECT_EQ(first_deliveries(shop).size(), 2U);
  shop.sql("queue", "DELETE FROM log");
  shop.start_points_service();
  expect_right(shop, kOrders, 60);
  const auto grants = shop.sql("points", "SELECT order_id FROM grants ORDER BY granted_at");
  std::map<int, int> last;
  for (const std::string& order_id : grants) {
    const int n = std::stoi(order_id);
    const auto [known, is_first] = last.try_emplace(n % 2, n);
    if (!is_first) {
      EXPECT_LT(known->second, n);
      known->second = n;
    }
  }
}

}  // namespace
}  // namespace waybill::e2e
