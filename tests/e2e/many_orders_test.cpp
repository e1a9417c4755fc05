// Orders as fast as they come, by each way to send them.
#include <gtest/gtest.h>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

class ManyOrders : public ::testing::TestWithParam<std::string> {};

// 10 000 in the three modes on SQLite; of async, more than the sender's queue holds, so that the
// relay takes its share.
TEST_P(ManyOrders, E5_A1_orders_as_fast_as_they_come_are_each_sent_once) {
  const int orders = kStoreIsServer || GetParam() == "sync" ? 1000 : 4500;
  Shop shop;
  shop.start_order_service(GetParam(), {"--relay"});
  shop.start_points_service();
  shop.place_many("A-", orders);
  expect_right(shop, orders);
  EXPECT_EQ(shop.sql("queue", kCopies), std::vector<std::string>{std::to_string(orders)});
}

INSTANTIATE_TEST_SUITE_P(Dispatch, ManyOrders, ::testing::Values("sync", "async", "relay"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace waybill::e2e
