#include "doctor_checks.hpp"

#include <gtest/gtest.h>

namespace waybill::cli {
namespace {

using namespace std::chrono_literals;

std::string names(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += (finding.severe ? "error " : "warning ") + finding.name + "\n";
    EXPECT_NE(finding.text, "");
    EXPECT_NE(finding.meaning, "");
    EXPECT_NE(finding.remedy, "");
  }
  return text;
}

TableFacts with(const std::string& state, std::int64_t rows) {
  TableFacts facts;
  facts.relay = RelayLife::alive;
  facts.status.now = DatabaseTime(std::chrono::days(20'000));
  facts.status.counts.push_back({state, rows, facts.status.now - 1s, 0});
  return facts;
}

TEST(DoctorChecks, find_nothing_in_a_table_that_works) {
  EXPECT_EQ(names(check_table(with("INIT", 5), {})), "");
  EXPECT_EQ(names(check_table(TableFacts(), {})), "");
}

TEST(DoctorChecks, G8_want_a_relay_only_while_rows_wait) {
  TableFacts facts = with("SENT", 1);
  for (const RelayLife life : {RelayLife::none, RelayLife::silent}) {
    facts.relay = life;
    EXPECT_EQ(names(check_table(facts, {})), "error no_live_relay\n");
  }
  facts.relay = RelayLife::unknown;
  EXPECT_EQ(names(check_table(facts, {})), "");
  facts = with("DEAD", 1);
  facts.relay = RelayLife::none;
  EXPECT_EQ(names(check_table(facts, {})), "");
}

TEST(DoctorChecks, find_an_id_that_the_relay_never_reads) {
  TableFacts facts = with("INIT", 1);
  facts.lowest_id = 0;
  EXPECT_EQ(names(check_table(facts, {})), "error id_below_one\n");
}

TEST(DoctorChecks, judge_a_short_inbox_by_the_longest_wait_between_copies) {
  TableFacts facts = with("SENT", 1);
  facts.status.consumers = {{"t", "points", {}, 24h}};
  EXPECT_EQ(names(check_table(facts, {})), "");
  facts.status.consumers[0].retention = 23h;
  EXPECT_EQ(names(check_table(facts, {})), "warning inbox_retention_short\n");
  facts.status.consumers[0].retention = 59min;
  EXPECT_EQ(names(check_table(facts, {})), "error inbox_retention_short\n");
}

TEST(DoctorChecks, warn_of_an_init_row_older_than_half_the_shortest_inbox) {
  TableFacts facts = with("INIT", 1);
  facts.status.counts[0].oldest = facts.status.now - 83h;
  EXPECT_EQ(names(check_table(facts, {})), "");
  facts.status.counts[0].oldest = facts.status.now - 85h;
  EXPECT_EQ(names(check_table(facts, {})), "error init_near_retention\n");
  facts.status.counts[0].state = "SENT";
  EXPECT_EQ(names(check_table(facts, {})), "");
}

TEST(DoctorChecks, look_at_unread_messages_only_when_a_group_lags) {
  std::vector<QueueFacts> topics = {{"orders", 9, {{"points", 0, 0ms}}}};
  EXPECT_EQ(names(check_queue(topics, 100h, {})), "");
  topics[0].groups[0] = {"points", 1, 80h};
  EXPECT_EQ(names(check_queue(topics, 100h, {})), "error unread_near_retention\n");
  topics[0].groups[0] = {"points", 10'001, 79h};
  EXPECT_EQ(names(check_queue(topics, 100h, {})), "warning group_lags\n");
  topics[0].groups.clear();
  EXPECT_EQ(names(check_queue(topics, 100h, {})), "warning topic_without_group\n");
}

}  // namespace
}  // namespace waybill::cli
