#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

class BadInput : public ProgramTest {
 protected:
  // A call that must fail with that code, an error that contains `text`, and a hint.
  void expect_error(const Answer& run, int exit_code, const std::string& text) const {
    EXPECT_EQ(run.exit_code, exit_code) << run.out << run.err;
    EXPECT_EQ(run.err.rfind("error: ", 0), 0U) << run.err;
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
    EXPECT_NE(run.err.find("hint: "), std::string::npos) << run.err;
  }
};

TEST_F(BadInput, in_the_configuration_names_file_line_and_key) {
  write("waybill.toml", "[store]\nurl = \"sqlite:///x\"\n\n[relay]\n\nttl = 5\nwidth = 3\n");
  const Answer run = waybill({"status"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.err,
            "error: waybill.toml:6: relay.ttl: must be a duration like \"2s\", not an integer\n"
            "waybill.toml:7: relay.width: unknown key (known: holder, ttl, grace, window, "
            "window_bytes, sessions, retry_first, retry_max, refusals_max, poll_idle, doorbell, "
            "once_timeout, stop_timeout)\n");
  write("waybill.toml", "[store\n");
  expect_error(waybill({"status"}), 2, "waybill.toml:1: ");
}

TEST_F(BadInput, is_told_as_json_where_json_is_asked_for) {
  const Answer run = waybill({"status", "--json"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  const Answer as_answer{0, run.err, ""};
  EXPECT_EQ(as_answer.json().at("error").as_string(), "no store is configured");
  EXPECT_EQ(as_answer.json().at("exit_code").to_number<int>(), 2);
}

TEST_F(BadInput, names_the_wrong_address) {
  expect_error(waybill({"status"}), 2, "no store is configured");
  expect_error(waybill({"status", "--store", "orders.db"}), 2, "--store: 'orders.db' is no URL");
  expect_error(waybill({"status", "--store", "mysql://u:secret@h/db"}), 2,
               "unknown scheme 'mysql'");
  expect_error(waybill({"status", "--store", store_url()}), 2,
               "no such file: " + path("orders.db"));
  for (const char* command : {"list", "show", "cancel"}) {
    std::vector<std::string> call = {"messages", command, "--store", store_url()};
    if (command != std::string("list")) call.emplace_back("1");
    if (command == std::string("cancel")) call.insert(call.end(), {"--reason", "r"});
    expect_error(waybill(call), 2, "no such file: " + path("orders.db"));
  }
  expect_error(waybill({"doctor", "--store", store_url()}), 2, "no such file");
  expect_error(waybill({"inbox", "parked", "--store", store_url()}), 2, "no such file");
  expect_error(waybill({"queue", "topics"}), 2, "no queue is named");
  expect_error(waybill({"queue", "topics", "--queue", queue_url()}), 2,
               "no such file: " + path("queue.db"));
  expect_error(waybill({"queue", "topics", "--queue", "kafka://h:1"}), 2,
               "kafka://h:1 is no embedded queue");
  EXPECT_FALSE(std::filesystem::exists(path("orders.db")));
  EXPECT_FALSE(std::filesystem::exists(path("queue.db")));
}

TEST_F(BadInput, a_file_that_is_no_database_is_refused_by_every_command) {
  write("orders.db", std::string(8192, 'x'));
  write("queue.db", std::string(8192, 'x'));
  const std::vector<std::vector<std::string>> commands = {
      {"status"},
      {"doctor"},
      {"schema", "apply"},
      {"schema", "check"},
      {"routes", "list"},
      {"messages", "list"},
      {"messages", "show", "1"},
      {"messages", "replay", "1", "--reason", "r"},
      {"inbox", "parked"},
      {"inbox", "replay", "a/b/c", "--consumer", "c", "--topic", "t", "--reason", "r"},
      {"relay", "--once"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--store", store_url()});
    expect_error(waybill(command, {{"WAYBILL_QUEUE", queue_url()}}), 2, "orders.db");
  }
  expect_error(waybill({"queue", "topics", "--queue", queue_url()}), 2, "queue.db");
}

TEST_F(BadInput, an_empty_database_asks_for_the_schema) {
  sql("orders.db", "PRAGMA journal_mode=WAL; CREATE TABLE other(x);");
  expect_error(waybill({"status", "--store", store_url()}), 2, "");
  EXPECT_EQ(waybill({"schema", "check", "--store", store_url()}).exit_code, 1);
}

TEST_F(BadInput, a_schema_from_another_version_is_left_alone) {
  set_up_shop();
  sql("orders.db", "UPDATE waybill_schema SET version = 9999;");
  expect_error(waybill({"status"}), 2, "9999");
  expect_error(waybill({"relay", "--once"}), 2, "9999");
  expect_error(waybill({"schema", "apply"}), 2, "9999");
  expect_error(waybill({"messages", "cancel", "1", "--reason", "r"}), 2, "9999");
}

TEST_F(BadInput, a_locked_database_is_unavailable_and_works_again_afterwards) {
  set_up_shop();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path("orders.db").c_str(), &database), SQLITE_OK);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> owner(database, sqlite3_close);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const std::vector<std::string> command = {"routes", "set", "order.placed", "--destination",
                                            "other"};
  expect_error(waybill(command, {{"WAYBILL_STORE_BUSY_TIMEOUT", "100ms"}}), 3, "lock");
  ASSERT_EQ(sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(waybill(command).exit_code, 0);
}

TEST_F(BadInput, a_time_that_is_none_is_named_with_its_flag) {
  set_up_shop();
  for (const char* flag : {"--since", "--until"}) {
    expect_error(waybill({"messages", "list", flag, "yesterday"}), 2,
                 std::string(flag) + ": 'yesterday' is no time");
  }
  expect_error(waybill({"doctor", "--age-max", "old"}), 2, "--age-max: 'old' is no duration");
}

TEST_F(BadInput, a_table_that_is_not_there_is_named) {
  set_up_shop();
  expect_error(waybill({"messages", "list", "--table", "other"}), 2, "--table other");
  expect_error(waybill({"status", "--table", "a;b"}), 2, "a;b");
  EXPECT_EQ(waybill({"doctor", "--table", "other"}).exit_code, 1);
}

TEST_F(BadInput, an_unreadable_or_read_only_database_is_refused) {
  set_up_shop();
  insert_orders(1, 1);
  // Root reads and writes every file unless it gives that right away.
  const auto as_ordinary_user = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), WAYBILL_PROGRAM);
    if (geteuid() == 0) {
      arguments.insert(arguments.begin(),
                       {"setpriv", "--bounding-set=-dac_override,-dac_read_search"});
    }
    return Process(arguments, folder_, {}).wait();
  };
  std::filesystem::permissions(path("orders.db"), std::filesystem::perms::owner_read);
  expect_error(as_ordinary_user({"routes", "set", "order.placed", "--destination", "other"}), 2,
               "orders.db");
  expect_error(as_ordinary_user({"relay", "--once"}), 2, "orders.db");
  std::filesystem::permissions(path("orders.db"), std::filesystem::perms::none);
  for (const char* command : {"status", "doctor"}) {
    expect_error(as_ordinary_user({command}), 2, "orders.db");
  }
  std::filesystem::permissions(
      path("orders.db"), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(states(), "INIT|1\n");
}

TEST_F(BadInput, a_folder_in_place_of_a_file_is_refused) {
  std::filesystem::create_directory(path("orders.db"));
  std::filesystem::create_directory(path("queue.db"));
  expect_error(waybill({"status", "--store", store_url()}), 2, "orders.db");
  expect_error(waybill({"queue", "topics", "--queue", queue_url()}), 2, "queue.db");
}

TEST_F(BadInput, an_answer_that_cannot_be_written_is_no_success) {
  const Answer run =
      Process({"sh", "-c", "exec \"$0\" schema print > /dev/full", WAYBILL_PROGRAM}, folder_, {})
          .wait();
  expect_error(run, 3, "could not be written");
}

TEST_F(BadInput, rows_that_cannot_be_published_go_dead_with_the_reason) {
  set_up_shop();
  insert_orders(1, 1);
  sql("orders.db",
      "INSERT INTO local_message(message_type, biz_type, identifier, content) "
      "VALUES('order.placed', 'order', 'bad', CAST(x'ff00fe' AS TEXT));");
  const Answer relay = waybill({"relay", "--once", "--json"});
  EXPECT_LE(relay.exit_code, 1) << relay.err;
  EXPECT_EQ(states(), "DEAD|1\nSUCCESS|1\n");
  const Answer dead = waybill({"messages", "list", "--state", "DEAD", "--json"});
  EXPECT_NE(dead.json().at("messages").at(0).at("reason").as_string(), "");
}

TEST_F(BadInput, in_the_routes_file_names_file_line_and_key) {
  set_up_shop();
  write("routes.toml", "[[route]]\nmessage_type = \"a\"\ndestinaton = \"d\"\n");
  const Answer run = waybill({"routes", "apply", "routes.toml"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("routes.toml:3: route.destinaton: unknown key (did you mean "
                         "'destination'?)"),
            std::string::npos)
      << run.err;
}

}  // namespace
}  // namespace waybill::cli
