#include "waybill/message_state.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace waybill {
namespace {

using enum MessageState;

constexpr Cause kCauses[] = {Cause::acked,
                             Cause::acked_unconfirmed,
                             Cause::confirmed,
                             Cause::consumer_later,
                             Cause::consumer_failed,
                             Cause::refused,
                             Cause::refused_for_good,
                             Cause::stuck_behind,
                             Cause::unblocked,
                             Cause::horizon_passed,
                             Cause::cancelled,
                             Cause::resend,
                             Cause::replay};

TEST(MessageState, has_one_target_for_each_state_and_cause) {
  std::set<std::pair<MessageState, Cause>> seen;
  for (const auto& t : transitions()) {
    EXPECT_TRUE(seen.emplace(t.from, t.cause).second)
        << to_string(t.from) << " " << to_string(t.cause);
  }
}

TEST(MessageState, C7_is_a_closed_set_with_one_spelling) {
  for (const MessageState state : kMessageStates) {
    EXPECT_EQ(parse_message_state(to_string(state)), state);
  }
  EXPECT_FALSE(parse_message_state("init"));
  EXPECT_FALSE(parse_message_state(""));
  EXPECT_FALSE(parse_message_state("DONE"));
}

TEST(MessageState, F3_success_is_left_by_replay_alone) {
  for (const Cause cause : kCauses) {
    EXPECT_EQ(next_state(SUCCESS, cause).has_value(), cause == Cause::replay) << to_string(cause);
  }
}

TEST(MessageState, is_entered_as_init_by_insert_only) {
  for (const auto& t : transitions()) EXPECT_NE(t.to, INIT);
}

TEST(MessageState, confirmation_finishes_a_row_in_any_unfinished_state) {
  for (const MessageState state : kMessageStates) {
    if (state != SUCCESS) {
      EXPECT_EQ(next_state(state, Cause::confirmed), SUCCESS);
    }
  }
}

TEST(MessageState, final_states_are_left_by_confirmation_and_operators_only) {
  const std::set<Cause> allowed = {Cause::confirmed, Cause::cancelled, Cause::replay};
  for (const auto& t : transitions()) {
    if (is_final(t.from)) {
      EXPECT_TRUE(allowed.contains(t.cause)) << to_string(t.cause);
    }
  }
}

TEST(MessageState, F4_facts_need_no_fence_and_judgements_do) {
  for (const Cause cause : kCauses) {
    const bool judgement = cause == Cause::refused || cause == Cause::refused_for_good ||
                           cause == Cause::stuck_behind || cause == Cause::unblocked ||
                           cause == Cause::horizon_passed;
    EXPECT_EQ(is_judgement(cause), judgement) << to_string(cause);
  }
}

}  // namespace
}  // namespace waybill
