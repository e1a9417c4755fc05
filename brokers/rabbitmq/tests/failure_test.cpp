#include "failure.hpp"

#include <amqp.h>
#include <gtest/gtest.h>

namespace waybill::rabbitmq {
namespace {

TEST(RabbitmqFailure, each_code_for_which_a_server_refuses_means_one_outcome) {
  struct Case {
    std::uint16_t code;
    PublishResult at_login;
    PublishResult of_a_message;
  };
  const Case cases[] = {
      {AMQP_ACCESS_REFUSED, PublishResult::destination_down, PublishResult::destination_down},
      {AMQP_NOT_ALLOWED, PublishResult::destination_down, PublishResult::unknown},
      {AMQP_INVALID_PATH, PublishResult::destination_down, PublishResult::unknown},
      {AMQP_NOT_FOUND, PublishResult::unreachable, PublishResult::destination_down},
      {AMQP_RESOURCE_LOCKED, PublishResult::unreachable, PublishResult::destination_down},
      {AMQP_PRECONDITION_FAILED, PublishResult::unreachable, PublishResult::rejected},
      {AMQP_CONTENT_TOO_LARGE, PublishResult::unreachable, PublishResult::rejected},
      {AMQP_CONNECTION_FORCED, PublishResult::unreachable, PublishResult::unknown},
      {AMQP_FRAME_ERROR, PublishResult::unreachable, PublishResult::unknown},
      {AMQP_INTERNAL_ERROR, PublishResult::unreachable, PublishResult::unknown},
      {0, PublishResult::unreachable, PublishResult::unknown},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(classify_refusal(one.code, true), one.at_login) << one.code;
    EXPECT_EQ(classify_refusal(one.code, false), PublishResult::unreachable) << one.code;
    EXPECT_EQ(classify_culprit(one.code), one.of_a_message) << one.code;
  }
}

TEST(RabbitmqFailure, the_largest_message_is_read_from_the_refusal) {
  EXPECT_EQ(message_bytes_max("PRECONDITION_FAILED - message size 7 larger than max size 5"), 5U);
  EXPECT_EQ(message_bytes_max("message size 7 is larger than configured max size 5"), 5U);
  for (const char* text : {"", "max size ", "max size x", "PRECONDITION_FAILED - unknown tag 5"}) {
    EXPECT_EQ(message_bytes_max(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace waybill::rabbitmq
