#include "gate_plan.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace waybill::testing {
namespace {

constexpr PassingMessage kPublish{GateSender::client, GateKind::publish, "publish"};
constexpr PassingMessage kAck{GateSender::server, GateKind::publish, "ack"};
constexpr PassingMessage kHeartbeat{GateSender::server, GateKind::any, "heartbeat"};
constexpr int kConnections[2] = {};
constexpr const void* kFirst = &kConnections[0];
constexpr const void* kSecond = &kConnections[1];

TEST(GatePlan, passes_everything_until_it_is_told_otherwise) {
  GatePlan plan;
  for (const auto& message : {kPublish, kAck, kHeartbeat}) {
    const GateVerdict verdict = plan.judge(kFirst, message);
    EXPECT_TRUE(verdict.passes);
    EXPECT_FALSE(verdict.end);
  }
  EXPECT_FALSE(plan.has_acted());
  EXPECT_EQ(plan.passed(GateSender::client, GateKind::publish), 1U);
  EXPECT_EQ(plan.passed(GateSender::server, GateKind::publish), 1U);
  EXPECT_EQ(plan.passed(GateSender::server, GateKind::any), 2U);
}

TEST(GatePlan, breaks_once_at_the_nth_message_of_its_sender_and_kind) {
  GatePlan plan;
  plan.break_at({GateSender::server, GateKind::publish, 2}, GateEnd::reset);
  std::vector<bool> passed;
  for (const auto& message : {kPublish, kAck, kHeartbeat, kPublish, kAck, kPublish, kAck}) {
    passed.push_back(plan.judge(kFirst, message).passes);
  }
  EXPECT_EQ(passed, (std::vector<bool>{true, true, true, true, false, true, true}));
  EXPECT_TRUE(plan.has_acted());
}

TEST(GatePlan, breaks_at_each_later_one_until_healed) {
  GatePlan plan;
  plan.break_at({GateSender::server, GateKind::any, 2, true}, GateEnd::black_hole);
  EXPECT_FALSE(plan.judge(kFirst, kAck).end);
  EXPECT_EQ(plan.judge(kFirst, kHeartbeat).end, GateEnd::black_hole);
  EXPECT_EQ(plan.judge(kSecond, kAck).end, GateEnd::black_hole);
  plan.heal();
  EXPECT_FALSE(plan.judge(kSecond, kAck).end);
}

TEST(GatePlan, breaks_at_random_by_its_seed_and_at_publishes_and_answers_only) {
  const auto breaks = [](std::uint64_t seed) {
    GatePlan plan;
    plan.break_at_random(seed, 0.1);
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < 1000; ++i) {
      EXPECT_FALSE(plan.judge(kFirst, kHeartbeat).end);
      if (plan.judge(kFirst, i % 2 == 0 ? kPublish : kAck).end) at.push_back(i);
    }
    return at;
  };
  EXPECT_GT(breaks(1).size(), 50U);
  EXPECT_LT(breaks(1).size(), 200U);
  EXPECT_EQ(breaks(1), breaks(1));
  EXPECT_NE(breaks(1), breaks(2));
}

TEST(GatePlan, cuts_before_a_text_once) {
  GatePlan plan;
  plan.arm("COMMIT", GateAction::cut_before);
  EXPECT_TRUE(plan.judge(kFirst, {GateSender::client, GateKind::any, "Q INSERT"}).passes);
  EXPECT_TRUE(plan.judge(kFirst, {GateSender::server, GateKind::any, "COMMIT"}).passes);
  const GateVerdict verdict = plan.judge(kFirst, {GateSender::client, GateKind::any, "Q COMMIT"});
  EXPECT_FALSE(verdict.passes);
  EXPECT_EQ(verdict.end, GateEnd::cut);
  EXPECT_TRUE(plan.judge(kSecond, {GateSender::client, GateKind::any, "Q COMMIT"}).passes);
}

TEST(GatePlan, cuts_after_a_text_when_its_own_connection_is_answered) {
  GatePlan plan;
  plan.arm("COMMIT", GateAction::cut_after);
  const GateVerdict request = plan.judge(kFirst, {GateSender::client, GateKind::any, "Q COMMIT"});
  EXPECT_TRUE(request.passes);
  EXPECT_FALSE(request.end);
  EXPECT_TRUE(plan.judge(kSecond, kHeartbeat).passes);
  EXPECT_FALSE(plan.has_acted());
  const GateVerdict answer = plan.judge(kFirst, kHeartbeat);
  EXPECT_FALSE(answer.passes);
  EXPECT_EQ(answer.end, GateEnd::cut);
  EXPECT_TRUE(plan.has_acted());
}

TEST(GatePlan, holds_after_a_text_at_once) {
  GatePlan plan;
  plan.arm("COMMIT", GateAction::hold_after);
  const GateVerdict request = plan.judge(kFirst, {GateSender::client, GateKind::any, "Q COMMIT"});
  EXPECT_TRUE(request.passes);
  EXPECT_EQ(request.end, GateEnd::black_hole);
}

}  // namespace
}  // namespace waybill::testing
