#include "cloud_events.hpp"

#include <gtest/gtest.h>

#include <map>

namespace waybill::kafka {
namespace {

std::map<std::string, std::string> headers_of(const Outgoing& message) {
  const std::string sent_at = to_rfc3339(message.sent_at);
  const EventHeaders headers(message, sent_at, "/shop");
  std::map<std::string, std::string> found;
  for (const Header& header : headers.all()) {
    EXPECT_TRUE(found.emplace(header.name, header.value).second) << header.name;
  }
  return found;
}

TEST(KafkaCloudEvents, writes_only_what_a_message_has) {
  Outgoing message;
  message.message_id = "order/created/7";
  message.message_type = "created";
  const std::map<std::string, std::string> required = {
      {"ce_specversion", "1.0"}, {"ce_id", "order/created/7"},
      {"ce_source", "/shop"},    {"ce_type", "created"},
      {"ce_waybillepoch", "0"},  {"ce_waybillsent", "1970-01-01T00:00:00.000000Z"},
  };
  EXPECT_EQ(headers_of(message), required);
  message.key = "k";
  message.traceparent = "00-1-2-01";
  EXPECT_EQ(headers_of(message).size(), required.size() + 2);
}

TEST(KafkaCloudEvents, what_is_written_is_read_back) {
  Outgoing message;
  message.message_id = "order/created/\xE4\xBD\xA0";
  message.message_type = "created";
  message.key = "a key, with = and |";
  message.traceparent = "00-1-2-01";
  message.epoch = 4'294'967'295;
  message.sent_at = DatabaseTime(std::chrono::microseconds(1'764'000'000'000'001));
  Delivery delivery;
  const std::string sent_at = to_rfc3339(message.sent_at);
  const EventHeaders headers(message, sent_at, "/shop");
  for (const Header& header : headers.all()) read_header(header, delivery);
  EXPECT_EQ(delivery.message_id, message.message_id);
  EXPECT_EQ(delivery.message_type, message.message_type);
  EXPECT_EQ(delivery.key, message.key);
  EXPECT_EQ(delivery.traceparent, message.traceparent);
  EXPECT_EQ(delivery.epoch, message.epoch);
  EXPECT_EQ(delivery.sent_at, message.sent_at);
}

TEST(KafkaCloudEvents, foreign_and_malformed_headers_change_nothing) {
  Delivery delivery;
  delivery.epoch = 7;
  delivery.sent_at = DatabaseTime(std::chrono::seconds(9));
  for (const Header& header :
       {Header{"id", "x"}, Header{"", ""}, Header{"ce_", "x"}, Header{"ce_unheardof", "x"},
        Header{"ce_waybillepoch", "-1"}, Header{"ce_waybillepoch", "4294967296"},
        Header{"ce_waybillepoch", ""}, Header{"ce_waybillsent", "soon"}}) {
    read_header(header, delivery);
  }
  EXPECT_EQ(delivery.message_id, "");
  EXPECT_EQ(delivery.message_type, "");
  EXPECT_EQ(delivery.epoch, 7U);
  EXPECT_EQ(delivery.sent_at, DatabaseTime(std::chrono::seconds(9)));
}

TEST(KafkaCloudEvents, times_are_rfc_3339_in_utc) {
  const DatabaseTime time(std::chrono::microseconds(1'709'251'199'000'042));
  EXPECT_EQ(to_rfc3339(time), "2024-02-29T23:59:59.000042Z");
  DatabaseTime parsed;
  ASSERT_TRUE(from_rfc3339("2024-02-29T23:59:59.000042Z", parsed));
  EXPECT_EQ(parsed, time);
  ASSERT_TRUE(from_rfc3339("2024-02-29T23:59:59Z", parsed));
  EXPECT_EQ(parsed, time - std::chrono::microseconds(42));
  ASSERT_TRUE(from_rfc3339("2024-02-29T23:59:59.5Z", parsed));
  EXPECT_EQ(parsed, time + std::chrono::microseconds(499'958));
  ASSERT_TRUE(from_rfc3339("2024-02-29T23:59:59.000042999Z", parsed));
  EXPECT_EQ(parsed, time);
  for (const char* text :
       {"", "Z", "2024-02-29T23:59:59", "2024-02-30T23:59:59Z", "2024-02-29T24:00:00Z",
        "2024-02-29T23:60:00Z", "2024-02-29T23:59:60Z", "2024-02-29 23:59:59Z",
        "2024-02-29T23:59:59.Z", "2024-02-29T23:59:59.1x2Z", "2024-02-29T23:59:59+01:00",
        "2024-02-29T23:59:591Z", "-024-02-29T23:59:59Z"}) {
    EXPECT_FALSE(from_rfc3339(text, parsed)) << text;
  }
  EXPECT_EQ(parsed, time);
}

}  // namespace
}  // namespace waybill::kafka
