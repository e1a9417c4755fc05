#include <signal.h>
#include <sqlite3.h>

#include <boost/json/object.hpp>
#include <set>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

// Each test causes one thing and looks for its finding.
class Doctor : public ProgramTest {
 protected:
  using Names = std::set<std::string>;

  struct Diagnosis {
    int exit_code = -1;
    Names errors;
    Names warnings;
    std::string texts;
  };

  Diagnosis examine(std::vector<std::string> flags = {"--no-wait"}) const {
    flags.insert(flags.begin(), {"doctor", "--json"});
    const Answer run = waybill(flags);
    Diagnosis diagnosis;
    diagnosis.exit_code = run.exit_code;
    const value answer = run.json();  // outlives the loop over its part
    for (const value& finding : answer.at("findings").as_array()) {
      Names& names =
          finding.at("severity").as_string() == "error" ? diagnosis.errors : diagnosis.warnings;
      names.emplace(finding.at("name").as_string());
      diagnosis.texts += finding.at("text").as_string().c_str();
      EXPECT_FALSE(finding.at("meaning").as_string().empty());
      EXPECT_FALSE(finding.at("remedy").as_string().empty());
    }
    EXPECT_EQ(answer.at("healthy").as_bool(), diagnosis.errors.empty());
    EXPECT_EQ(run.exit_code, diagnosis.errors.empty() ? 0 : 1) << run.out << run.err;
    return diagnosis;
  }
  void set_up_queue() const {
    set_up_shop();
    insert_orders(1, 3);
    ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  }
  // A group that read nothing.
  void add_group() const {
    sql("queue.db",
        "INSERT INTO cursor(grp, topic, partition, cursor, fence, counter, holder) "
        "SELECT 'points', id, value, 0, 0, 0, '' FROM topic, generate_series(0, partitions - 1);");
  }
};

TEST_F(Doctor, finds_a_table_at_rest_healthy) {
  set_up_shop();
  std::filesystem::remove(path("queue.db"));
  const Diagnosis diagnosis = examine({});
  EXPECT_EQ(diagnosis.errors, Names{});
  EXPECT_EQ(diagnosis.warnings, Names{"queue_missing"});
  const Answer text = waybill({"doctor", "--store", store_url(), "--config", "/dev/null"});
  EXPECT_EQ(text.out, "healthy\n");
}

TEST_F(Doctor, finds_a_row_that_no_relay_reads) {
  set_up_shop();
  insert_orders(1, 2);
  sql("orders.db", "UPDATE local_message SET id = -5 WHERE id = 1;");
  const Diagnosis diagnosis = examine({"--no-wait"});
  EXPECT_EQ(diagnosis.errors, Names{"id_below_one"});
  EXPECT_NE(diagnosis.texts.find("-5"), std::string::npos) << diagnosis.texts;
}

TEST_F(Doctor, G8_finds_rows_that_wait_without_a_live_relay) {
  set_up_shop("points");
  insert_orders(1, 3);
  EXPECT_EQ(examine({}).errors, Names{"no_live_relay"});
  EXPECT_EQ(examine({"--no-wait"}).errors, Names{});
  const auto relay = start({"relay"});
  EXPECT_TRUE(wait_until([&] { return states() == "SENT|3\n"; }));
  EXPECT_EQ(examine({}).errors, Names{});
  relay->send(SIGKILL);
  static_cast<void>(relay->wait());
  EXPECT_EQ(examine({}).errors, Names{"no_live_relay"});
  const std::string text = waybill({"doctor"}).out;
  EXPECT_NE(text.find("error no_live_relay: 3 messages wait and the lease of"), std::string::npos)
      << text;
  EXPECT_NE(text.find("  means: "), std::string::npos);
  EXPECT_NE(text.find("  do:    "), std::string::npos);
}

TEST_F(Doctor, J1_finds_an_unfinished_row_that_is_too_old) {
  set_up_shop("points");
  insert_orders(1, 1);
  ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  sql("orders.db",
      "UPDATE local_message SET gmt_create = strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour');");
  EXPECT_EQ(examine().errors, Names{"oldest_unfinished"});
  EXPECT_EQ(examine({"--no-wait", "--age-max", "2h"}).errors, Names{});
  EXPECT_EQ(waybill({"doctor", "--age-max", "long"}).exit_code, 2);
}

TEST_F(Doctor, finds_an_init_row_that_outlives_half_the_inbox) {
  set_up_shop("points");
  insert_orders(1, 1);
  sql("orders.db",
      "UPDATE local_message SET gmt_create = strftime('%Y-%m-%d %H:%M:%f', 'now', '-4 days');");
  EXPECT_EQ(examine().errors, (Names{"init_near_retention", "oldest_unfinished"}));
}

TEST_F(Doctor, C2_finds_a_missing_unique_constraint_and_missing_indexes) {
  sql("orders.db",
      "PRAGMA journal_mode=WAL; CREATE TABLE local_message(id INTEGER PRIMARY KEY, gmt_create "
      "TEXT, gmt_modified TEXT, message_type TEXT, biz_type TEXT, identifier TEXT, content TEXT, "
      "state TEXT);");
  ASSERT_EQ(waybill({"schema", "apply", "--store", store_url()}).exit_code, 0);
  const Diagnosis diagnosis = examine({"--no-wait", "--store", store_url()});
  EXPECT_EQ(diagnosis.errors, Names{});
  EXPECT_EQ(diagnosis.warnings, (Names{"missing_headers", "missing_index", "missing_unique"}));
}

TEST_F(Doctor, C4_finds_a_type_without_a_route) {
  set_up_shop();
  sql("orders.db",
      "INSERT INTO local_message(message_type, biz_type, identifier, content) "
      "VALUES('order.renamed', 'order', 'B-1', 'x');");
  const Diagnosis diagnosis = examine();
  EXPECT_EQ(diagnosis.errors, Names{"type_without_route"});
  EXPECT_NE(diagnosis.texts.find("'order.renamed'"), std::string::npos) << diagnosis.texts;
}

TEST_F(Doctor, C7_finds_a_state_outside_the_closed_set) {
  set_up_shop();
  insert_orders(1, 1);
  sql("orders.db", "UPDATE local_message SET state = 'LIMBO';");
  EXPECT_EQ(examine().errors, Names{"unknown_state"});
  EXPECT_EQ(states(), "LIMBO|1\n");
}

TEST_F(Doctor, finds_a_write_ahead_log_that_a_forgotten_reader_let_grow) {
  set_up_shop();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path("orders.db").c_str(), &database), SQLITE_OK);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> reader(database, sqlite3_close);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN; SELECT count(*) FROM local_message", nullptr, nullptr,
                         nullptr),
            SQLITE_OK);
  EXPECT_EQ(examine().warnings, Names{"queue_missing"});
  sql("orders.db",
      "PRAGMA synchronous=OFF; CREATE TABLE ballast(x); INSERT INTO ballast "
      "VALUES(zeroblob(70 * 1024 * 1024));");
  EXPECT_EQ(examine().warnings, (Names{"queue_missing", "wal_grown"}));
}

TEST_F(Doctor, J4_finds_final_rows_that_nobody_ever_cleaned) {
  set_up_queue();
  sql("orders.db",
      "INSERT INTO local_message(message_type, biz_type, identifier, content, state, gmt_modified) "
      "SELECT 'order.placed', 'order', 'old-' || value, '', 'SUCCESS', '2020-01-01 00:00:00.000' "
      "FROM generate_series(1, 10001);");
  EXPECT_TRUE(examine().warnings.contains("never_cleaned"));
}

TEST_F(Doctor, I5_finds_an_inbox_that_forgets_before_a_copy_may_come) {
  set_up_shop("points");
  sql("orders.db",
      "INSERT INTO waybill_consumer(message_type, consumer, confirmed_sent, retention) "
      "VALUES('order.placed', 'points', '2026-01-02 03:04:05.000', 60);");
  EXPECT_EQ(examine().errors, Names{"inbox_retention_short"});
}

TEST_F(Doctor, finds_a_topic_that_nobody_reads) {
  set_up_queue();
  EXPECT_EQ(examine().warnings, Names{"topic_without_group"});
}

TEST_F(Doctor, finds_a_group_that_lags) {
  set_up_queue();
  add_group();
  EXPECT_EQ(examine().warnings, Names{});
  EXPECT_EQ(examine({"--no-wait", "--lag-max", "2"}).warnings, Names{"group_lags"});
}

TEST_F(Doctor, finds_unread_messages_that_the_queue_deletes_soon) {
  set_up_queue();
  add_group();
  sql("queue.db",
      "UPDATE log SET published_at = published_at - 140 * 3600 * 1000000 "
      "WHERE position = 1;");
  EXPECT_EQ(examine().errors, Names{"unread_near_retention"});
  sql("queue.db", "UPDATE cursor SET cursor = 1;");
  EXPECT_EQ(examine().errors, Names{});
}

TEST_F(Doctor, finds_a_schema_that_is_behind_or_ahead) {
  set_up_shop();
  sql("orders.db", "UPDATE waybill_schema SET version = 0;");
  Diagnosis diagnosis = examine();
  EXPECT_EQ(diagnosis.errors, Names{"schema_unusable"});
  EXPECT_NE(diagnosis.texts.find("has no waybill schema for 'local_message'"), std::string::npos)
      << diagnosis.texts;
  sql("orders.db", "UPDATE waybill_schema SET version = 9999;");
  diagnosis = examine();
  EXPECT_EQ(diagnosis.errors, Names{"schema_unusable"});
  EXPECT_NE(diagnosis.texts.find("9999"), std::string::npos) << diagnosis.texts;
}

}  // namespace
}  // namespace waybill::cli
