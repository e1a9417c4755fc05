// The message table as others see it: made and filled by plain SQL, with bad rows, without a route,
// looked at by the operator's program.
#include <gtest/gtest.h>

#include <fstream>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

using order_points::test::run_program;

std::string values(const std::string& type, const std::string& identifier) {
  return "('" + type + "', 'order', '" + identifier + "', '{}')";
}

std::string insert(const std::string& rows) {
  return "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES " + rows;
}

int set_route(Shop& shop, const std::string& type) {
  const std::string destination = shop.broker().destination("orders");
  return shop.waybill("routes set " + type + " --destination " + destination).exit_code;
}

TEST(Table, C2_G6_eight_columns_made_and_filled_by_the_databases_own_client_are_relayed) {
  Shop shop;
  const auto by_client = [&](const std::string& sql) {
    std::ofstream(shop.file("client.sql")) << sql << ";\n";
    return run_program(shop.store().client_command("orders") + " < " + shop.file("client.sql"));
  };
  const auto made = by_client(shop.store().eight_column_table());
  ASSERT_EQ(made.exit_code, 0) << made.output;
  ASSERT_EQ(shop.waybill("schema apply").exit_code, 0);
  const auto lacking = shop.waybill("schema check");
  EXPECT_EQ(lacking.exit_code, 1);
  EXPECT_NE(lacking.output.find("a repeated request becomes a second message"), std::string::npos)
      << lacking.output;
  ASSERT_EQ(set_route(shop, "order.placed"), 0);
  const auto inserted =
      by_client(insert(values("order.placed", "A") + ", " + values("order.placed", "B")));
  ASSERT_EQ(inserted.exit_code, 0) << inserted.output;
  const auto relayed = shop.waybill("relay --once --json --queue " + shop.broker().url());
  EXPECT_EQ(relayed.exit_code, 0) << relayed.output;
  EXPECT_NE(relayed.output.find(R"("published":2)"), std::string::npos) << relayed.output;
  EXPECT_EQ(shop.sql("orders", "SELECT DISTINCT state FROM local_message"),
            std::vector<std::string>{"SUCCESS"});
  EXPECT_EQ(shop.sql("queue", kCopies), std::vector<std::string>{"2"});
}

TEST(Table, C4_C7_G8_rows_without_a_route_wait_and_a_strange_state_is_left_alone) {
  Shop shop;
  ASSERT_EQ(shop.waybill("schema apply").exit_code, 0);
  ASSERT_EQ(set_route(shop, "order.placed"), 0);
  shop.sql("orders", insert(values("order.placed", "A") + ", " + values("order.placed", "B") +
                            ", " + values("too.early", "C")));
  shop.sql("orders", "UPDATE local_message SET state = 'WEIRD' WHERE identifier = 'B'");
  EXPECT_NE(shop.waybill("doctor").output.find("no_live_relay"), std::string::npos);
  shop.start_relay();
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "1")) << "other types go on";
  ASSERT_TRUE(shop.wait_until([&] {
    return shop.log_of("relay").find("too.early") != std::string::npos;
  })) << "alarmed";
  EXPECT_EQ(shop.sql("orders", "SELECT COUNT(*) FROM local_message_delivery")[0], "0");
  EXPECT_EQ(shop.waybill("status").exit_code, 1) << "a state that waybill does not know";
  ASSERT_EQ(set_route(shop, "too.early"), 0);
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "2"));
  EXPECT_EQ(shop.sql("orders", count("state = 'WEIRD'"))[0], "1");
}

TEST(Table, G2_a_thousand_rows_that_fail_for_good_stop_nobody_behind_them) {
  constexpr int kBad = 1000;
  Shop shop;
  ASSERT_EQ(shop.waybill("schema apply").exit_code, 0);
  ASSERT_EQ(set_route(shop, "order.placed"), 0);
  // Their message ids are longer than 768 bytes.
  std::string long_part;
  for (int i = 0; i < 120; ++i) long_part += "€";
  std::string rows;
  for (int i = 0; i < kBad; ++i) {
    rows += (i == 0 ? "" : ", ") + values("order.placed", long_part + std::to_string(i));
  }
  shop.sql("orders", insert(rows));
  shop.sql("orders", insert(values("order.placed", "good")));
  shop.start_relay();
  EXPECT_TRUE(shop.wait_for("orders", count("identifier = 'good' AND state = 'SUCCESS'"), "1"));
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'DEAD'"), std::to_string(kBad), 60));
  EXPECT_EQ(shop.sql("queue", kCopies), std::vector<std::string>{"1"});
  EXPECT_EQ(shop.sql("orders",
                     "SELECT COUNT(*) FROM local_message_delivery"
                     " WHERE reason LIKE '%768%'")[0],
            std::to_string(kBad));
}

TEST(Table, T8_of_five_messages_in_one_transaction_a_refused_one_stops_no_other) {
  Shop shop;
  ASSERT_EQ(shop.waybill("schema apply").exit_code, 0);
  ASSERT_EQ(set_route(shop, "order.placed"), 0);
  std::string rows;
  for (const std::string id : {"1", "2", "3", "4", "5"}) {
    rows += (rows.empty() ? "" : ", ") + values("order.placed", id);
  }
  // The third is more than the broker takes.
  shop.sql("orders", "BEGIN; " + insert(rows) + "; UPDATE local_message SET content = '" +
                         std::string((1U << 20) + 1, 'x') + "' WHERE identifier = '3'; COMMIT");
  shop.set_relay_environment({"WAYBILL_RELAY_REFUSALS_MAX=2", "WAYBILL_RELAY_RETRY_FIRST=50ms"});
  shop.start_relay();
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "4"));
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'DEAD' AND identifier = '3'"), "1"));
  EXPECT_EQ(shop.sql("queue", kCopies), std::vector<std::string>{"4"});
}

TEST(Table, C3_clocks_of_hosts_and_zones_of_sessions_change_nothing) {
  Shop shop;
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.fake_clock({"FAKETIME=-1h"});
  shop.start_relay();
  const std::string zone = shop.store().other_time_zone();
  if (!zone.empty()) shop.sql("orders", zone);
  for (int i = 0; i < 20; ++i) shop.place_by_sql("Z-" + std::to_string(i));
  ASSERT_EQ(shop.place("A-0"), 201);
  expect_right(shop, 21);
  EXPECT_EQ(shop.sql("queue", kCopies), std::vector<std::string>{"21"}) << "nothing was overdue";
  EXPECT_EQ(shop.sql("orders", count("gmt_modified < gmt_create"))[0], "0");
}

// The broker has it, and the relay is killed before it writes so: again and again.
TEST(Table, F1_F2_F3_what_was_sent_and_not_marked_is_sent_again_with_its_id_and_granted_once) {
#ifndef WAYBILL_TEST_POINTS
  GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
#endif
  constexpr int kKills = 10;
  Shop shop;
  shop.start_order_service("relay");
  shop.start_points_service();
  shop.set_relay_environment({"WAYBILL_RELAY_TTL=300ms"});
  for (int i = 0; i < kKills; ++i) {
    shop.arm("relay", "relay.before_mark:kill");
    shop.start_relay();
    ASSERT_EQ(shop.place("A-" + std::to_string(i)), 201);
    ASSERT_TRUE(shop.wait_until([&] { return shop.has_ended("relay"); }));
  }
  shop.start_relay();
  expect_right(shop, kKills);
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(DISTINCT message_id) FROM log")[0],
            std::to_string(kKills));
}

}  // namespace
}  // namespace waybill::e2e
