#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class Operator : public ProgramTest {};

TEST_F(Operator, prints_a_schema_that_sqlite_accepts) {
  for (const char* part : {"producer", "consumer"}) {
    const Answer run = waybill({"schema", "print", "--part", part});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_NE(run.out.find("CREATE TABLE"), std::string::npos);
    sql(std::string(part) + ".db", run.out);
  }
}

TEST_F(Operator, applies_the_schema_twice_and_finds_it_complete) {
  for (const std::string part : {"producer", "consumer"}) {
    const std::string url = "sqlite://" + path(part + ".db");
    const Answer first = waybill({"schema", "apply", "--part", part, "--store", url, "--json"});
    ASSERT_EQ(first.exit_code, 0) << first.err;
    const Answer second = waybill({"schema", "apply", "--part", part, "--store", url, "--json"});
    EXPECT_EQ(second.exit_code, 0) << second.err;
    EXPECT_EQ(second.json().at("version_before"), first.json().at("version_after"));
    const Answer check = waybill({"schema", "check", "--part", part, "--store", url, "--json"});
    EXPECT_EQ(check.exit_code, 0) << check.out;
    EXPECT_TRUE(check.json().at("findings").as_array().empty());
  }
}

TEST_F(Operator, C2_is_told_what_an_eight_column_table_lacks) {
  sql("orders.db",
      "PRAGMA journal_mode=WAL; CREATE TABLE local_message(id INTEGER PRIMARY KEY AUTOINCREMENT, "
      "gmt_create TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')), "
      "gmt_modified TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')), "
      "message_type VARCHAR(128) NOT NULL, biz_type VARCHAR(64) NOT NULL, "
      "identifier VARCHAR(128) NOT NULL, content TEXT NOT NULL, "
      "state VARCHAR(16) NOT NULL DEFAULT 'INIT');");
  ASSERT_EQ(waybill({"schema", "apply", "--store", store_url()}).exit_code, 0);
  const Answer check = waybill({"schema", "check", "--store", store_url(), "--json"});
  EXPECT_EQ(check.exit_code, 1) << check.err;
  EXPECT_FALSE(check.json().at("findings").as_array().empty());
  const value answer = check.json();  // outlives the loop over its part
  for (const value& finding : answer.at("findings").as_array()) {
    EXPECT_FALSE(finding.at("fatal").as_bool()) << finding.at("text").as_string();
  }
  ASSERT_EQ(
      waybill({"routes", "set", "order.placed", "--destination", "orders", "--store", store_url()})
          .exit_code,
      0);
  insert_orders(1, 2);
  const Answer relay = waybill({"relay", "--once", "--store", store_url(), "--queue", queue_url()});
  EXPECT_EQ(relay.exit_code, 0) << relay.err;
  EXPECT_EQ(states(), "SUCCESS|2\n");
}

TEST_F(Operator, sets_lists_and_applies_routes) {
  set_up_shop("points");
  const Answer set =
      waybill({"routes", "set", "order.placed", "--confirm-deadline", "10s", "--json"});
  EXPECT_EQ(set.exit_code, 0) << set.err;
  const value route = set.json().at("routes").at(0);
  EXPECT_EQ(route.at("destination").as_string(), "orders");
  EXPECT_EQ(route.at("consumers").at(0).as_string(), "points");
  EXPECT_EQ(route.at("confirm_deadline_ms").to_number<int>(), 10'000);
  write("routes.toml", "[[route]]\nmessage_type = \"*\"\ndestination = \"rest\"\n");
  EXPECT_EQ(waybill({"routes", "apply", "routes.toml"}).exit_code, 0);
  const Answer list = waybill({"routes", "list", "--json"});
  EXPECT_EQ(list.json().at("routes").as_array().size(), 2U);
  EXPECT_NE(waybill({"routes", "list"}).out.find("order.placed"), std::string::npos);
}

TEST_F(Operator, K4_cannot_give_an_ordered_type_sync_dispatch) {
  set_up_shop();
  const Answer run =
      waybill({"routes", "set", "order.placed", "--ordering", "publish", "--dispatch", "sync"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("is ordered"), std::string::npos) << run.err;
}

TEST_F(Operator, is_told_which_route_flag_is_wrong) {
  set_up_shop();
  const std::vector<std::vector<std::string>> cases = {{"--confirm-deadline", "soon"},
                                                       {"--ordering", "total"},
                                                       {"--dispatch", "pigeon"},
                                                       {"--consumers", "a,,b"}};
  for (const std::vector<std::string>& flag : cases) {
    const Answer run = waybill({"routes", "set", "order.placed", flag[0], flag[1]});
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_EQ(run.err.rfind("error: " + flag[0] + ": ", 0), 0U) << run.err;
  }
  const Answer run = waybill({"routes", "set", "order.paid"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("no --destination is given"), std::string::npos) << run.err;
}

TEST_F(Operator, finds_messages_by_every_filter_and_pages_through_them) {
  set_up_shop();
  insert_orders(1, 5);
  const auto found = [this](std::vector<std::string> filter) {
    filter.insert(filter.begin(), {"messages", "list", "--json"});
    return waybill(filter).json().at("messages").as_array().size();
  };
  EXPECT_EQ(found({}), 5U);
  EXPECT_EQ(found({"--id", "3"}), 1U);
  EXPECT_EQ(found({"--identifier", "A-4"}), 1U);
  EXPECT_EQ(found({"--identifier", "a-4"}), 0U);
  EXPECT_EQ(found({"--type", "order.placed"}), 5U);
  EXPECT_EQ(found({"--type", "order"}), 0U);
  EXPECT_EQ(found({"--biz-type", "order"}), 5U);
  EXPECT_EQ(found({"--state", "INIT"}), 5U);
  EXPECT_EQ(found({"--state", "DEAD"}), 0U);
  EXPECT_EQ(found({"--after-id", "2"}), 3U);
  const Answer page = waybill({"messages", "list", "--limit", "2", "--json"});
  EXPECT_EQ(page.json().at("next_after_id").to_number<int>(), 2);
  EXPECT_EQ(waybill({"messages", "list"}).exit_code, 0);
  EXPECT_EQ(waybill({"messages", "list", "--state", "DEAD"}).exit_code, 1);
  const Answer unknown = waybill({"messages", "list", "--state", "SEND"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("did you mean 'SENT'?"), std::string::npos) << unknown.err;
}

TEST_F(Operator, sees_one_message_by_row_id_or_message_id) {
  set_up_shop();
  insert_orders(1, 2);
  const Answer by_id = waybill({"messages", "show", "2", "--json"});
  EXPECT_EQ(by_id.exit_code, 0) << by_id.err;
  const value message = by_id.json().at("message");
  EXPECT_EQ(message.at("identifier").as_string(), "A-2");
  EXPECT_EQ(message.at("content").as_string(), "{\"order\":2}");
  const Answer by_name = waybill({"messages", "show", "order/order.placed/A-2", "--json"});
  EXPECT_EQ(by_name.json(), by_id.json());
  EXPECT_EQ(waybill({"messages", "show", "99"}).exit_code, 1);
  EXPECT_EQ(waybill({"messages", "show", "order/order.placed/A-99"}).exit_code, 1);
  EXPECT_EQ(waybill({"messages", "show", "A-2"}).exit_code, 2);
}

TEST_F(Operator, cancels_replays_and_resends_with_reason_and_audit) {
  set_up_shop("points");
  insert_orders(1, 2);
  const auto act = [this](const char* action, const char* id) {
    return waybill({"messages", action, id, "--reason", "told so", "--operator", "ann", "--json"});
  };
  EXPECT_EQ(act("replay", "1").exit_code, 1);  // INIT: nothing to replay
  const Answer cancelled = act("cancel", "order/order.placed/A-1");
  EXPECT_EQ(cancelled.exit_code, 0) << cancelled.out << cancelled.err;
  EXPECT_EQ(cancelled.json().at("results").at(0).at("result").as_string(), "done");
  EXPECT_EQ(states(), "CANCELLED|1\nINIT|1\n");
  EXPECT_EQ(act("replay", "1").exit_code, 0);
  EXPECT_EQ(states(), "INIT|1\nRETRY|1\n");
  EXPECT_EQ(act("resend", "1").exit_code, 0);
  EXPECT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  EXPECT_EQ(act("resend", "2").exit_code, 0);
  EXPECT_EQ(act("cancel", "99").exit_code, 1);
  EXPECT_EQ(sql("orders.db", "SELECT count(*) FROM waybill_audit;"), "4\n");
}

TEST_F(Operator, C7_is_shown_states_outside_the_closed_set) {
  set_up_shop();
  insert_orders(1, 2);
  sql("orders.db", "UPDATE local_message SET state = 'LIMBO' WHERE id = 1;");
  const Answer run = waybill({"status"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_NE(run.out.find("LIMBO"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("unknown state, left alone"), std::string::npos) << run.out;
  EXPECT_EQ(waybill({"relay", "--once", "--json"}).json().at("published").to_number<int>(), 1);
  EXPECT_EQ(states(), "LIMBO|1\nSUCCESS|1\n");
  const Answer show = waybill({"messages", "show", "1"});
  EXPECT_LT(show.exit_code, 128) << show.err;
}

TEST_F(Operator, sees_counts_age_and_lease_in_the_status) {
  set_up_shop();
  insert_orders(1, 3);
  const Answer run = waybill({"status", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.json().at("states").at(0).at("state").as_string(), "INIT");
  EXPECT_EQ(run.json().at("states").at(0).at("rows").to_number<int>(), 3);
  EXPECT_GE(run.json().at("oldest_unfinished_age_ms").to_number<int>(), 0);
  EXPECT_EQ(run.json().at("lease").at("holder").as_string(), "");
  ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  EXPECT_TRUE(waybill({"status", "--json"}).json().at("oldest_unfinished_age_ms").is_null());
}

TEST_F(Operator, peeks_into_the_queue_page_by_page_and_lists_its_topics) {
  set_up_shop();
  insert_orders(1, 5);
  ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  const Answer page = waybill({"queue", "peek", "--topic", "orders", "--limit", "3", "--json"});
  EXPECT_EQ(page.exit_code, 0) << page.err;
  ASSERT_EQ(page.json().at("messages").as_array().size(), 3U);
  const value first = page.json().at("messages").at(0);
  EXPECT_EQ(first.at("message_type").as_string(), "order.placed");
  const std::string next = std::to_string(page.json().at("next_after").to_number<int>());
  const Answer rest = waybill({"queue", "peek", "--topic", "orders", "--after", next, "--json"});
  EXPECT_EQ(rest.json().at("messages").as_array().size(), 2U);
  const std::string last =
      std::to_string(rest.json().at("messages").at(1).at("position").as_int64());
  EXPECT_EQ(waybill({"queue", "peek", "--topic", "orders", "--after", last}).exit_code, 1);
  const Answer other = waybill({"queue", "peek", "--topic", "other"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_NE(other.err.find("no topic 'other'"), std::string::npos) << other.err;
  const Answer topics = waybill({"queue", "topics", "--queue", queue_url(), "--json"});
  EXPECT_EQ(topics.json().at("topics").at(0).at("topic").as_string(), "orders");
}

}  // namespace
}  // namespace waybill::cli
