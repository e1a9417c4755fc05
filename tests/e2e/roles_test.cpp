// Each process works under its own role, and is refused what is not its own.
#include <gtest/gtest.h>

#include "roles_shop.hpp"

namespace waybill::e2e {
namespace {

class EveryRole : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryRole, is_enough_for_the_whole_loop_in_each_mode) {
  RolesShop shop(GetParam());
  shop.open();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(shop.place("A-" + std::to_string(i)), 201);
  EXPECT_EQ(shop.place("A-0"), 200) << "found again, not written again";
  EXPECT_EQ(shop.place("B-0", true), 409);
  expect_right(shop, 20);
  // What is lost on its way comes again, and what is refused for good is DEAD and replayed.
  shop.stop("points_service");
  shop.start_points_service({"--freeze", "u1"});
  ASSERT_EQ(shop.place("C-0"), 201);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'DEAD'"), "1"));
  shop.stop("points_service");
  shop.start_points_service();
  for (const std::string command :
       {"status", "messages list", "messages show order/order.placed/C-0",
        "routes set order.placed --confirm-deadline 20s",
        "messages replay order/order.placed/C-0 --reason thawed --operator ann"}) {
    const auto ran = shop.waybill(command);
    EXPECT_EQ(ran.exit_code, 0) << command << ": " << ran.output;
  }
  expect_right(shop, 21);
  shop.sql("orders",
           "UPDATE local_message SET gmt_modified = '2020-01-01 00:00:00.000' WHERE id < 4");
  const auto cleaned =
      order_points::test::run_program(std::string(WAYBILL) + " clean --older-than 30d --store " +
                                      with_user(shop.store().url("orders"), "shop_cleaner"));
  EXPECT_EQ(cleaned.exit_code, 0) << cleaned.output;
  EXPECT_NE(cleaned.output.find("deleted 3 of"), std::string::npos) << cleaned.output;
  EXPECT_EQ(shop.waybill("doctor").exit_code, 0);
  EXPECT_EQ(shop.waybill("schema check").exit_code, 0);
  EXPECT_EQ(shop.refusals(), "");
}

INSTANTIATE_TEST_SUITE_P(Dispatch, EveryRole, ::testing::Values("async", "relay"),
                         [](const auto& tested) { return tested.param; });

TEST(Roles, each_is_refused_what_is_not_its_own) {
  struct Forbidden {
    const char* login;
    const char* database;
    std::vector<std::string> statements;
  };
  const std::string insert =
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " VALUES ('order.placed', 'order', 'forged', '{}')";
  const Forbidden all[] = {
      {"shop_orders",
       "orders",
       {"UPDATE local_message SET content = ''", "DELETE FROM local_message",
        "UPDATE local_message_lease SET fence = 9", "UPDATE waybill_route SET destination = 'x'",
        "SELECT * FROM waybill_audit", "CREATE TABLE mine (id int)"}},
      {"shop_relay",
       "orders",
       {insert, "UPDATE local_message SET content = ''", "DELETE FROM local_message",
        "SELECT * FROM orders", "UPDATE waybill_route SET destination = 'x'",
        "DELETE FROM local_message_delivery",
        "INSERT INTO waybill_consumer SELECT * FROM"
        " waybill_consumer"}},
      {"shop_points",
       "points",
       {"DELETE FROM waybill_inbox", "DELETE FROM grants", "SELECT * FROM waybill_audit"}},
      {"shop_points", "orders", {"SELECT * FROM local_message", "SELECT * FROM orders", insert}},
      {"shop_console",
       "orders",
       {insert, "UPDATE local_message SET content = ''", "DELETE FROM local_message",
        "DELETE FROM waybill_audit", "UPDATE waybill_audit SET reason = ''",
        "UPDATE local_message_lease SET fence = 9", "SELECT * FROM orders"}},
      {"shop_cleaner",
       "orders",
       {insert, "UPDATE local_message SET content = ''", "UPDATE local_message SET state = 'INIT'",
        "DELETE FROM waybill_audit", "DELETE FROM local_message_lease",
        "UPDATE waybill_route SET destination = 'x'", "SELECT * FROM orders"}},
  };
  RolesShop shop("relay");
  for (const Forbidden& forbidden : all) {
    for (const std::string& statement : forbidden.statements) {
      EXPECT_THROW(shop.login(forbidden.login, forbidden.database)->query(statement),
                   std::runtime_error)
          << forbidden.login << ": " << statement;
    }
  }
}

TEST(Roles, a_right_that_is_missing_is_named_with_what_to_do) {
  RolesShop shop("relay");
  shop.place_by_sql("A-1");
  shop.sql("orders", shop.server().revoke("UPDATE", "local_message_lease", "waybill_relay"));
  const auto ran = order_points::test::run_program(
      std::string("WAYBILL_RELAY_ONCE_TIMEOUT=2s ") + WAYBILL + " relay --once --queue " +
      shop.broker().url() + " --store " + with_user(shop.store().url("orders"), "shop_relay"));
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_NE(ran.output.find("local_message_lease"), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("waybill schema roles"), std::string::npos) << ran.output;
  EXPECT_EQ(shop.sql("orders", count("state = 'INIT'"))[0], "1");
}

}  // namespace
}  // namespace waybill::e2e
