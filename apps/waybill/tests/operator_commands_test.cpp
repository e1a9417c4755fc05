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

TEST_F(Operator, prints_roles_for_servers_and_says_that_sqlite_has_none) {
  for (const std::string scheme : {"postgresql", "mariadb"}) {
    for (const std::string part : {"producer", "consumer"}) {
      const Answer roles = waybill({"schema", "roles", "--part", part, "--table", "shop_message",
                                    "--store", scheme + "://shop@127.0.0.1:1/orders"});
      EXPECT_EQ(roles.exit_code, 0) << roles.err;
      EXPECT_NE(roles.out.find("GRANT SELECT"), std::string::npos) << roles.out;
      EXPECT_EQ(roles.out.find("{table}"), std::string::npos) << roles.out;
      EXPECT_EQ(roles.out.find("shop_message_lease") != std::string::npos, part == "producer");
    }
  }
  const Answer refused = waybill({"schema", "roles", "--store", store_url()});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("SQLite has no roles"), std::string::npos) << refused.err;
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
