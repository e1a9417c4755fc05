// The program on a MariaDB server: what an operator does there, and what he may get wrong.
#include "mariadb_fixture.hpp"
#include "program.hpp"

namespace waybill::cli {
namespace {

class MariadbProgram : public ProgramTest {
 protected:
  Answer on_store(std::vector<std::string> arguments) const {
    return waybill(std::move(arguments),
                   {{"WAYBILL_STORE", database.url()}, {"WAYBILL_QUEUE", queue_url()}});
  }

  void set_up() {
    const Answer schema = on_store({"schema", "apply"});
    ASSERT_EQ(schema.exit_code, 0) << schema.err;
    const Answer route = on_store({"routes", "set", "order.placed", "--destination", "orders"});
    ASSERT_EQ(route.exit_code, 0) << route.err;
  }

  // The mariadb shell, as a service in any language writes rows.
  void shell(const std::string& statements) const {
    const auto address = mariadb::parse_url(database.url());
    const Answer run = Process({"mariadb", "--no-defaults", "--protocol=tcp", "-h", address->host,
                                "-P", std::to_string(address->port), "-u", address->user,
                                address->database, "-e", statements},
                               folder_, {})
                           .wait();
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }

  // A call that must fail with that code, an error that contains `text`, and a hint.
  static void expect_error(const Answer& run, int exit_code, const std::string& text) {
    EXPECT_EQ(run.exit_code, exit_code) << run.out << run.err;
    EXPECT_NE(run.err.find(text), std::string::npos) << run.err;
    EXPECT_NE(run.err.find("hint: "), std::string::npos) << run.err;
    EXPECT_EQ(run.err.find("hunter2"), std::string::npos) << run.err;
  }

  const mariadb::ScratchDatabase database;
};

TEST_F(MariadbProgram, C2_relays_rows_that_the_mariadb_shell_inserted) {
  set_up();
  shell(
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " SELECT 'order.placed', 'order', seq, '{\"user\": \"\xF0\x9F\x98\x80\"}' FROM seq_1_to_20;"
      " INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " VALUES ('unknown.type', 'order', '21', '{}')");
  const Answer relayed = on_store({"relay", "--once", "--json"});
  EXPECT_EQ(relayed.exit_code, 1) << "the row without a route is left: " << relayed.err;
  const Answer listed = on_store({"messages", "list", "--state", "SUCCESS", "--json"});
  EXPECT_EQ(listed.json().at("messages").as_array().size(), 20U) << listed.out;
  const Answer status = on_store({"status", "--json"});
  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_NE(status.out.find("\"INIT\""), std::string::npos) << status.out;
  EXPECT_EQ(on_store({"schema", "check"}).exit_code, 0);
  EXPECT_EQ(on_store({"schema", "check", "--part", "consumer"}).exit_code, 1);
  EXPECT_EQ(on_store({"schema", "apply", "--part", "consumer"}).exit_code, 0);
  EXPECT_EQ(on_store({"schema", "check", "--part", "consumer"}).exit_code, 0);
}

TEST_F(MariadbProgram, J2_replays_a_message_with_audit) {
  set_up();
  shell(
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " VALUES ('order.placed', 'order', '1', '{}')");
  ASSERT_EQ(on_store({"relay", "--once"}).exit_code, 0);
  const Answer replayed = on_store({"messages", "replay", "1", "--reason", "points were lost"});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  const Answer shown = on_store({"messages", "show", "1", "--json"});
  EXPECT_NE(shown.out.find("points were lost"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("RETRY"), std::string::npos) << shown.out;
  const Answer doctor = on_store({"doctor"});
  EXPECT_LE(doctor.exit_code, 1) << doctor.err;
}

TEST_F(MariadbProgram, prints_the_schema_of_its_kind_without_a_server) {
  const Answer printed = waybill({"schema", "print", "--store", "mariadb://shop@127.0.0.1:1/none"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_NE(printed.out.find("utf8mb4_nopad_bin"), std::string::npos);
  EXPECT_EQ(printed.out.find('{'), std::string::npos) << "a placeholder is left";
}

TEST_F(MariadbProgram, bad_addresses_are_refused_with_a_hint) {
  const auto status_of = [&](const std::string& url) {
    return waybill({"status", "--store", url});
  };
  std::string wrong_password = database.url();
  wrong_password.replace(wrong_password.find("root"), 4, "nobody:hunter2");
  expect_error(status_of(wrong_password), 2, "Access denied");
  expect_error(status_of(database.url() + "_not"), 2, "Unknown database");
  expect_error(status_of(database.url()), 2, "has no waybill schema for");
  expect_error(status_of(database.url() + "?colour=red"), 2, "unknown parameter 'colour'");
  expect_error(status_of("mariadb://shop:hunter2@127.0.0.1"), 2, "names no database");
  expect_error(status_of("mariadb://shop:hunter2@127.0.0.1:1/orders"), 3, "cannot connect");
  expect_error(status_of("mysql://shop:hunter2@127.0.0.1/orders"), 2, "unknown scheme 'mysql'");
}

TEST_F(MariadbProgram, a_table_that_does_not_compare_as_bytes_is_refused_and_check_mends_it) {
  shell(
      "CREATE TABLE local_message (id bigint AUTO_INCREMENT PRIMARY KEY, gmt_create datetime,"
      " gmt_modified datetime, message_type varchar(128), biz_type varchar(64),"
      " identifier varchar(128), content text, state varchar(16)) CHARACTER SET utf8mb3");
  ASSERT_EQ(on_store({"schema", "apply"}).exit_code, 0);
  expect_error(on_store({"status"}), 2, "utf8mb3");
  const Answer checked = on_store({"schema", "check"});
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_NE(checked.out.find("ALTER TABLE local_message CONVERT TO CHARACTER SET utf8mb4"),
            std::string::npos)
      << checked.out;
  shell("ALTER TABLE local_message CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin");
  EXPECT_EQ(on_store({"status"}).exit_code, 0);
}

}  // namespace
}  // namespace waybill::cli
