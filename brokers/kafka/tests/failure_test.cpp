#include "failure.hpp"

#include <gtest/gtest.h>

namespace waybill::kafka {
namespace {

constexpr auto kNever = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
constexpr auto kMaybe = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
constexpr auto kSurely = RD_KAFKA_MSG_STATUS_PERSISTED;
constexpr auto kWell = RD_KAFKA_RESP_ERR_NO_ERROR;

struct Case {
  rd_kafka_resp_err_t error;
  rd_kafka_msg_status_t status;
  rd_kafka_resp_err_t trouble;
  PublishResult result;
};

TEST(KafkaFailure, each_report_means_one_outcome) {
  const Case cases[] = {
      {kWell, kSurely, kWell, PublishResult::acked},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, kNever, kWell, PublishResult::rejected},
      {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, kNever, kWell, PublishResult::rejected},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, kNever, kWell, PublishResult::rejected},
      {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, kNever, kWell, PublishResult::rejected},
      {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, kNever, kWell, PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, kNever, kWell, PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, kNever, kWell, PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, kNever, kWell, PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, kNever, kWell,
       PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, kNever, kWell, PublishResult::unreachable},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, kMaybe, kWell, PublishResult::unknown},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, kNever, RD_KAFKA_RESP_ERR__TRANSPORT,
       PublishResult::unreachable},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, kNever, RD_KAFKA_RESP_ERR__AUTHENTICATION,
       PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, kMaybe, RD_KAFKA_RESP_ERR__AUTHENTICATION,
       PublishResult::unknown},
      {RD_KAFKA_RESP_ERR__TRANSPORT, kMaybe, kWell, PublishResult::unknown},
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, kNever, kWell, PublishResult::unreachable},
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, kNever, kWell, PublishResult::unknown},
      {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, kNever, kWell, PublishResult::throttled},
      {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, kMaybe, kWell, PublishResult::unknown},
      {RD_KAFKA_RESP_ERR__PURGE_QUEUE, kNever, kWell, PublishResult::unreachable},
      {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, kMaybe, kWell, PublishResult::unknown},
      {RD_KAFKA_RESP_ERR__FATAL, kMaybe, kWell, PublishResult::unknown},
      {RD_KAFKA_RESP_ERR__FATAL, kNever, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
       PublishResult::destination_down},
      {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, kMaybe, kWell, PublishResult::unknown},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(classify(one.error, one.status, one.trouble), one.result)
        << rd_kafka_err2name(one.error) << " " << one.status << " "
        << rd_kafka_err2name(one.trouble);
  }
}

}  // namespace
}  // namespace waybill::kafka
