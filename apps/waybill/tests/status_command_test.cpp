#include <signal.h>

#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class StatusOf : public ProgramTest {};

TEST_F(StatusOf, J1_a_table_shows_counts_age_due_retries_consumers_and_schema) {
  set_up_shop("points");
  insert_orders(1, 3);
  sql("orders.db",
      "INSERT INTO waybill_consumer(message_type, consumer, confirmed_sent, retention) "
      "VALUES('order.placed', 'points', '2026-01-02 03:04:05.000', 86400);");
  ASSERT_EQ(waybill({"messages", "cancel", "1", "--reason", "r"}).exit_code, 0);
  ASSERT_EQ(waybill({"messages", "replay", "1", "--reason", "r"}).exit_code, 0);
  const Answer run = waybill({"status", "--no-wait", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const value status = run.json();
  EXPECT_EQ(status.at("states").at(0).at("state").as_string(), "INIT");
  EXPECT_EQ(status.at("states").at(0).at("rows").to_number<int>(), 2);
  EXPECT_EQ(status.at("states").at(1).at("state").as_string(), "RETRY");
  EXPECT_GE(status.at("oldest_unfinished_age_ms").to_number<int>(), 0);
  EXPECT_EQ(status.at("retry_due").to_number<int>(), 1);
  EXPECT_EQ(status.at("schema_version").to_number<int>(), 1);
  EXPECT_EQ(status.at("consumers").at(0).at("consumer").as_string(), "points");
  EXPECT_EQ(status.at("consumers").at(0).at("retention_s").to_number<int>(), 86'400);
  EXPECT_EQ(status.at("relay").as_string(), "unknown");
  const std::string text = waybill({"status", "--no-wait"}).out;
  for (const char* part : {"INIT", "retries due: 1", "lease: free", "relay: unknown", "points"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << text;
  }
}

TEST_F(StatusOf, a_finished_table_has_no_oldest_unfinished_message) {
  set_up_shop();
  insert_orders(1, 1);
  ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  const value status = waybill({"status", "--no-wait", "--json"}).json();
  EXPECT_TRUE(status.at("oldest_unfinished_age_ms").is_null());
}

TEST_F(StatusOf, C7_a_table_shows_states_outside_the_closed_set) {
  set_up_shop();
  insert_orders(1, 2);
  sql("orders.db", "UPDATE local_message SET state = 'LIMBO' WHERE id = 1;");
  const Answer run = waybill({"status", "--no-wait"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_NE(run.out.find("LIMBO"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("unknown state, left alone"), std::string::npos) << run.out;
  EXPECT_EQ(waybill({"relay", "--once", "--json"}).json().at("published").to_number<int>(), 1);
  EXPECT_EQ(states(), "LIMBO|1\nSUCCESS|1\n");
}

TEST_F(StatusOf, G8_the_relay_is_alive_while_its_lease_moves_and_silent_or_none_after) {
  set_up_shop();
  const auto relay_is = [this] {
    return std::string(waybill({"status", "--json"}).json().at("relay").as_string());
  };
  EXPECT_EQ(relay_is(), "none");
  const auto relay = start({"relay"});
  ASSERT_TRUE(wait_until([&] { return relay_is() == "alive"; }));
  relay->send(SIGKILL);
  static_cast<void>(relay->wait());
  EXPECT_EQ(relay_is(), "silent");
}

}  // namespace
}  // namespace waybill::cli
