// The whole example, in small: real processes, kills and losses.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

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

// Plays 300 orders with these flags.
void expect_wrong_beside_right(const std::string& flags) {
  const test::Scratch scratch;
  const std::string json = scratch.file("demo.json");
  const test::ProgramResult result = test::run_program(
      "TMPDIR=" + scratch.file("") + " " DEMO " --orders 300 --json " + json + flags);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  std::ostringstream text;
  text << std::ifstream(json).rdbuf();
  const boost::json::value report = boost::json::parse(text.str());
  const boost::json::value& waybill = report.at("waybill");
  EXPECT_EQ(waybill.at("points"), waybill.at("orders"));
  for (const char* name : {"missing", "double", "phantom", "unfinished"})
    EXPECT_EQ(waybill.at(name).as_int64(), 0) << name << "\n" << result.output;
  const boost::json::value& naive = report.at("naive");
  EXPECT_GE(naive.at("missing").as_int64() + naive.at("double").as_int64() +
                naive.at("phantom").as_int64(),
            1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.file("")), {}), 1)
      << "the demo left files: " << result.output;
  EXPECT_EQ(count_processes(scratch.file("")), 0) << "the demo left processes";
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
