// Rows of a table that plain SQL wrote, relayed to a real Kafka by the program.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "../../examples/order_points/tests/program.hpp"
#include "waybill/testing/server.hpp"

namespace waybill::e2e {
namespace {

using order_points::test::run_program;

TEST(RelayToKafka, C4_E4_rows_by_plain_sql_reach_the_topic_once_it_was_applied) {
  const order_points::test::Scratch scratch;
  const std::string url = testing::Server::shared(WAYBILL_SERVERS_TOOLS, "kafka").url();
  const std::string topic = "orders-" + std::to_string(::getpid());
  const std::string database = scratch.file("orders.db");
  const std::string waybill = WAYBILL;
  const std::string store = " --store sqlite://" + database;
  ASSERT_EQ(run_program(waybill + " schema apply" + store).exit_code, 0);
  ASSERT_EQ(
      run_program(waybill + " routes set order.placed --destination " + topic + store).exit_code,
      0);
  ASSERT_EQ(run_program("sqlite3 " + database +
                        " \"INSERT INTO local_message (message_type, biz_type, identifier, content)"
                        " VALUES ('order.placed', 'order', 'A-17', 'seven points')\"")
                .exit_code,
            0);
  const std::string once = waybill + " relay --once --json --queue " + url + store;
  static_cast<void>(run_program("timeout 8 " + once));
  const auto states = [&] {
    return run_program("sqlite3 " + database +
                       " 'SELECT state, (SELECT COUNT(*) FROM local_message_delivery)"
                       " FROM local_message'")
        .output;
  };
  EXPECT_EQ(states(), "INIT|0\n") << "nothing is counted against the message";

  const auto missing = run_program(waybill + " broker check --queue " + url + store);
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_NE(missing.output.find("not_ready: " + topic + ": topic '" + topic + "' does not exist"),
            std::string::npos)
      << missing.output;
  const auto made = run_program(waybill + " broker apply --json --queue " + url + store);
  EXPECT_EQ(made.exit_code, 0);
  EXPECT_EQ(
      made.output,
      "{\"destinations\":[{\"destination\":\"" + topic +
          "\",\"result\":\"ready\",\"text\":\"\",\"hint\":\"\",\"body_bytes_max\":983040}]}\n");
  EXPECT_EQ(run_program(waybill + " broker check " + topic + " --queue " + url).exit_code, 0);
  const auto relayed = run_program("timeout 30 " + once);
  EXPECT_EQ(relayed.exit_code, 0) << relayed.output;
  EXPECT_EQ(states(), "SUCCESS|0\n");
  const auto read =
      run_program("kcat -q -b " + url.substr(8) + " -t " + topic + " -C -e -f '%h %s'");
  EXPECT_NE(read.output.find("ce_id=order/order.placed/A-17"), std::string::npos) << read.output;
  EXPECT_NE(read.output.find("seven points"), std::string::npos) << read.output;
}

}  // namespace
}  // namespace waybill::e2e
