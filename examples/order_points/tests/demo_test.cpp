// The whole example, in small: real processes, kills and losses.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "program.hpp"

namespace order_points {
namespace {

// Processes whose command line names `text`.
int count_processes(const std::string& text) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ostringstream command;
    command << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (command.str().find(text) != std::string::npos) ++found;
  }
  return found;
}

// Runs the demo with these flags; its report. It must leave nothing behind.
boost::json::value play(const std::string& flags, test::ProgramResult& result) {
  const test::Scratch scratch;
  const std::string json = scratch.file("demo.json");
  result =
      test::run_program("TMPDIR=" + scratch.file("") + " " DEMO " --json " + json + " " + flags);
  std::ostringstream text;
  text << std::ifstream(json).rdbuf();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.file("")), {}), 1)
      << "the demo left files: " << result.output;
  EXPECT_EQ(count_processes(scratch.file("")), 0) << "the demo left processes";
  return text.str().empty() ? boost::json::value() : boost::json::parse(text.str());
}

// Plays 300 orders with these flags.
void expect_wrong_beside_right(const std::string& flags) {
  test::ProgramResult result;
  const boost::json::value report = play("--orders 300" + flags, result);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const boost::json::value& waybill = report.at("waybill");
  EXPECT_EQ(waybill.at("points"), waybill.at("orders"));
  for (const char* name : {"missing", "double", "phantom", "unfinished"})
    EXPECT_EQ(waybill.at(name).as_int64(), 0) << name << "\n" << result.output;
  const boost::json::value& naive = report.at("naive");
  EXPECT_GE(naive.at("missing").as_int64() + naive.at("double").as_int64() +
                naive.at("phantom").as_int64(),
            1);
}

// What became of one order: {orders, grants}.
using Books = std::pair<std::int64_t, std::int64_t>;

// Whatever the naive service makes of a missing answer, it is wrong in one of the two failures.
void expect_lost_answers(const std::string& flags) {
  test::ProgramResult result;
  const boost::json::value report = play("--scenes-only" + flags, result);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  std::map<std::pair<std::string, std::string>, Books> books;
  for (const boost::json::value& outcome : report.at("lost_answers").as_array()) {
    const auto failure = boost::json::value_to<std::string>(outcome.at("failure"));
    const auto shop = boost::json::value_to<std::string>(outcome.at("shop"));
    books[{failure, shop}] = {outcome.at("orders").as_int64(), outcome.at("grants").as_int64()};
    if (shop != "waybill") continue;
    EXPECT_GE(outcome.at("publishes").as_int64(), 2) << result.output;
    EXPECT_EQ(outcome.at("message_ids").as_array().size(), failure == "B1" ? 1U : 2U);
    for (const boost::json::value& id : outcome.at("message_ids").as_array())
      EXPECT_EQ(id.as_string(), "order/order.placed/" + failure);
    EXPECT_EQ(outcome.at("states"), boost::json::array({"INIT", "SENT", "SUCCESS"}));
  }
  const std::map<std::pair<std::string, std::string>, Books> expected = {
      {{"B1", "naive, commits when in doubt"}, {1, 0}},
      {{"B1", "naive, rolls back when in doubt"}, {0, 0}},
      {{"B1", "waybill"}, {1, 1}},
      {{"B2", "naive, commits when in doubt"}, {1, 1}},
      {{"B2", "naive, rolls back when in doubt"}, {0, 1}},
      {{"B2", "waybill"}, {1, 1}}};
  EXPECT_EQ(books, expected) << result.output;
}

TEST(Demo, B1_B2_B4_a_lost_answer_on_postgres_and_rabbitmq) {
  expect_lost_answers(" --store postgres --broker rabbitmq --servers " SERVERS);
}

TEST(Demo, B1_B2_B4_a_lost_answer_on_mariadb_and_kafka) {
  expect_lost_answers(" --store mariadb --broker kafka --servers " SERVERS);
}

TEST(Demo, B4_shows_the_naive_service_wrong_beside_waybill_right) {
  expect_wrong_beside_right("");
}

TEST(Demo, B4_on_postgres_and_kafka_shows_the_same) {
  expect_wrong_beside_right(" --store postgres --broker kafka --servers " SERVERS);
}

TEST(Demo, B4_on_mariadb_and_rabbitmq_shows_the_same) {
  expect_wrong_beside_right(" --store mariadb --broker rabbitmq --servers " SERVERS);
}

}  // namespace
}  // namespace order_points
