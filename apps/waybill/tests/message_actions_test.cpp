#include <fmt/format.h>
#include <sqlite3.h>

#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class Actions : public ProgramTest {
 protected:
  Answer act(const std::string& action, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"messages", action});
    arguments.insert(arguments.end(), {"--reason", "told so", "--operator", "ann", "--json"});
    return waybill(arguments);
  }
  std::string audited() const { return sql("orders.db", "SELECT count(*) FROM waybill_audit;"); }
};

// Another client in the middle of a write transaction.
class Writer {
 public:
  explicit Writer(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK);
    run("BEGIN IMMEDIATE");
  }
  ~Writer() { sqlite3_close(database_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void run(const char* statement) {
    EXPECT_EQ(sqlite3_exec(database_, statement, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database_);
  }

 private:
  sqlite3* database_ = nullptr;
};

TEST_F(Actions, J2_cancel_replay_and_resend_keep_reason_and_audit) {
  set_up_shop("points");
  insert_orders(1, 2);
  EXPECT_EQ(act("replay", {"1"}).exit_code, 1);  // INIT: nothing to replay
  const Answer cancelled = act("cancel", {"order/order.placed/A-1"});
  EXPECT_EQ(cancelled.exit_code, 0) << cancelled.out << cancelled.err;
  EXPECT_EQ(cancelled.json().at("results").at(0).at("result").as_string(), "done");
  EXPECT_EQ(states(), "CANCELLED|1\nINIT|1\n");
  EXPECT_EQ(act("replay", {"1"}).exit_code, 0);
  EXPECT_EQ(states(), "INIT|1\nRETRY|1\n");
  EXPECT_EQ(act("resend", {"1"}).exit_code, 0);
  EXPECT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  EXPECT_EQ(act("resend", {"2"}).exit_code, 0);
  EXPECT_EQ(sql("orders.db",
                "SELECT operator, action, message_row, state_before, reason FROM waybill_audit;"),
            "ann|cancelled|1|INIT|told so\nann|replay|1|CANCELLED|told so\n"
            "ann|resend|1|RETRY|told so\nann|resend|2|SENT|told so\n");
}

TEST_F(Actions, J2_answer_for_each_message_and_act_on_one_named_twice_once) {
  set_up_shop();
  insert_orders(1, 2);
  sql("orders.db", "UPDATE local_message SET state = 'SUCCESS' WHERE id = 2;");
  const Answer run = act("cancel", {"1", "order/order.placed/A-1", "2", "77"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  const value results = run.json().at("results");
  ASSERT_EQ(results.as_array().size(), 3U);
  EXPECT_EQ(results.at(0).at("result").as_string(), "done");
  EXPECT_EQ(results.at(1).at("result").as_string(), "illegal");
  EXPECT_EQ(results.at(2).at("result").as_string(), "not_found");
  EXPECT_EQ(run.json().at("counts").at("done").to_number<int>(), 1);
  EXPECT_EQ(audited(), "1\n");
}

TEST_F(Actions, C7_leave_a_state_outside_the_closed_set_alone) {
  set_up_shop();
  insert_orders(1, 1);
  sql("orders.db", "UPDATE local_message SET state = 'LIMBO';");
  for (const char* action : {"cancel", "replay", "resend"}) {
    const Answer run = act(action, {"1"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_EQ(run.json().at("results").at(0).at("result").as_string(), "illegal");
  }
  EXPECT_EQ(states(), "LIMBO|1\n");
  EXPECT_EQ(audited(), "0\n");
}

TEST_F(Actions, J2_replay_all_dead_of_a_destination_and_no_others) {
  set_up_shop();
  ASSERT_EQ(waybill({"routes", "set", "mail.wanted", "--destination", "mails"}).exit_code, 0);
  insert_orders(1, 3);
  sql("orders.db",
      "INSERT INTO local_message(message_type, biz_type, identifier, content) "
      "VALUES('mail.wanted', 'order', 'M-1', 'x');"
      "UPDATE local_message SET state = 'DEAD' WHERE id <> 2;");
  const std::vector<std::string> dead = {"--all-matching", "--state", "DEAD", "--destination",
                                         "orders"};
  const auto with = [&dead](const char* flag) {
    std::vector<std::string> arguments = dead;
    arguments.emplace_back(flag);
    return arguments;
  };
  const Answer dry = act("replay", with("--dry-run"));
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_EQ(dry.json().at("possible").to_number<int>(), 2);
  const Answer asked = act("replay", dead);
  EXPECT_EQ(asked.exit_code, 2);
  EXPECT_NE(asked.err.find("2 messages match"), std::string::npos) << asked.err;
  EXPECT_NE(asked.err.find("--yes"), std::string::npos) << asked.err;
  EXPECT_EQ(states(), "DEAD|3\nINIT|1\n");
  const Answer done = act("replay", with("--yes"));
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(done.json().at("counts").at("done").to_number<int>(), 2);
  EXPECT_EQ(states(), "DEAD|1\nINIT|1\nRETRY|2\n");
  EXPECT_EQ(audited(), "2\n");
  EXPECT_EQ(act("replay", with("--yes")).exit_code, 1);  // nothing matches any more
}

TEST_F(Actions, refuse_a_call_that_would_touch_more_than_was_meant) {
  set_up_shop();
  insert_orders(1, 1);
  EXPECT_EQ(act("cancel", {}).exit_code, 2);
  EXPECT_EQ(act("cancel", {"--all-matching", "--yes"}).exit_code, 2);
  EXPECT_EQ(act("cancel", {"--state", "INIT"}).exit_code, 2);
  EXPECT_EQ(act("cancel", {"1", "--state", "INIT"}).exit_code, 2);
  EXPECT_EQ(act("cancel", {"1", "--all-matching"}).exit_code, 2);
  const Answer replay = act("replay", {"--all-matching", "--type", "order.placed", "--yes"});
  EXPECT_EQ(replay.exit_code, 2);
  EXPECT_NE(replay.err.find("--state"), std::string::npos) << replay.err;
  EXPECT_EQ(waybill({"messages", "cancel", "1", "--reason", ""}).exit_code, 2);
  EXPECT_EQ(waybill({"messages", "cancel", "1", "--reason", std::string(513, 'x')}).exit_code, 2);
  EXPECT_EQ(act("cancel", {"1", "--dry-run"}).exit_code, 0);
  EXPECT_EQ(states(), "INIT|1\n");
  EXPECT_EQ(audited(), "0\n");
}

TEST_F(Actions, J2_report_what_changed_or_went_meanwhile_and_overwrite_nothing) {
  constexpr int kRows = 1200;
  set_up_shop();
  insert_orders(1, kRows / 2);
  insert_orders(1 + kRows / 2, kRows / 2);
  Writer writer(path("orders.db"));
  const auto cancel = start({"messages", "cancel", "--all-matching", "--type", "order.placed",
                             "--yes", "--reason", "r", "--operator", "ann", "--json"});
  // Its first batch is read and waits for the lock.
  ASSERT_TRUE(cancel->wait_for_log(fmt::format("cancel: 0 of {}", kRows)));
  writer.run("UPDATE local_message SET state = 'SUCCESS' WHERE id = 7");
  writer.run("DELETE FROM local_message WHERE id = 8");
  writer.run("COMMIT");
  const Answer run = cancel->wait();
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_NE(run.err.find("cancel: 1000 of 1200"), std::string::npos) << run.err;
  const value counts = run.json().at("counts");
  EXPECT_EQ(counts.at("done").to_number<int>(), kRows - 2);
  EXPECT_EQ(counts.at("already_further").to_number<int>(), 1);
  EXPECT_EQ(counts.at("gone").to_number<int>(), 1);
  const value result = run.json().at("results").at(6);
  EXPECT_EQ(result.at("id").to_number<int>(), 7);
  EXPECT_EQ(result.at("result").as_string(), "already_further");
  EXPECT_EQ(result.at("note").as_string(), "it is in SUCCESS now");
  EXPECT_EQ(states(), "CANCELLED|1198\nSUCCESS|1\n");
  EXPECT_EQ(audited(), "1198\n");
}

TEST_F(Actions, that_end_in_the_middle_say_what_was_done_before) {
  set_up_shop();
  insert_orders(1, 2);
  const Writer writer(path("orders.db"));
  const Answer run = waybill({"messages", "cancel", "1", "2", "--reason", "r", "--json"},
                             {{"WAYBILL_STORE_BUSY_TIMEOUT", "50ms"}});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.json().at("counts").at("not_done").to_number<int>(), 2);
  EXPECT_NE(run.err.find("\"exit_code\":3"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace waybill::cli
