// kill -9 of the order service at each statement boundary of its business transaction, many times:
// the order and its message, both or none. WAYBILL_SOAK_KILLS says how often (tools/soak kills).
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

constexpr int kKillsOfCi = 10;
constexpr int kProgressEvery = 25;

int kills() {
  const char* text = std::getenv("WAYBILL_SOAK_KILLS");
  return text == nullptr ? kKillsOfCi : std::atoi(text);
}

class StatementBoundary : public ::testing::TestWithParam<std::string> {};

TEST_P(StatementBoundary, T1_A1_killed_there_leaves_the_order_and_its_message_both_or_none) {
#ifndef WAYBILL_TEST_POINTS
  GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
#endif
  const bool is_committed = GetParam() == "outbox.after_commit";
  Shop shop;
  for (int i = 0; i < kills(); ++i) {
    const std::string order = "A-" + std::to_string(i);
    shop.arm("order_service", GetParam() + ":kill");
    shop.start_order_service("relay");
    EXPECT_EQ(shop.place(order), 0);
    ASSERT_TRUE(shop.wait_until([&] { return shop.has_ended("order_service"); }));
    const std::string expected = is_committed ? "1" : "0";
    ASSERT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM orders WHERE order_id = '" + order + "'")[0],
              expected);
    ASSERT_EQ(shop.sql("orders", count("identifier = '" + order + "'"))[0], expected);
    if ((i + 1) % kProgressEvery == 0) {
      std::printf("%s %s: %d of %d\n", kStoreName, GetParam().c_str(), i + 1, kills());
      std::fflush(stdout);
    }
  }
  // The customers ask again, and everything arrives.
  shop.start_order_service("relay", {"--relay"});
  shop.start_points_service();
  for (int i = 0; i < kills(); ++i) {
    ASSERT_EQ(shop.place("A-" + std::to_string(i)), is_committed ? 200 : 201);
  }
  expect_right(shop, kills(), 120);
}

INSTANTIATE_TEST_SUITE_P(Boundaries, StatementBoundary,
                         ::testing::Values("outbox.after_begin", "outbox.before_insert",
                                           "outbox.before_commit", "outbox.after_commit"),
                         [](const auto& tested) {
                           return tested.param.substr(tested.param.find('.') + 1);
                         });

}  // namespace
}  // namespace waybill::e2e
