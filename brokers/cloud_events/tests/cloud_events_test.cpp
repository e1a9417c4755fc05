#include "waybill/brokers/cloud_events.hpp"

#include <gtest/gtest.h>

#include <map>

namespace waybill::cloud_events {
namespace {

std::map<std::string, std::string> attributes_of(const Outgoing& message) {
  const std::string sent_at = to_rfc3339(message.sent_at);
  const Attributes attributes(message, sent_at, "/shop");
  std::map<std::string, std::string> found;
  for (const Attribute& attribute : attributes.all()) {
    EXPECT_TRUE(found.emplace(attribute.name, attribute.value).second) << attribute.name;
  }
  return found;
}

TEST(CloudEvents, writes_only_what_a_message_has) {
  Outgoing message;
  message.message_id = "order/created/7";
  message.message_type = "created";
  const std::map<std::string, std::string> required = {
      {"specversion", "1.0"}, {"id", "order/created/7"},
      {"source", "/shop"},    {"type", "created"},
      {"waybillepoch", "0"},  {"waybillsent", "1970-01-01T00:00:00.000000Z"},
  };
  EXPECT_EQ(attributes_of(message), required);
  message.key = "k";
  message.traceparent = "00-1-2-01";
  EXPECT_EQ(attributes_of(message).size(), required.size() + 2);
}

TEST(CloudEvents, what_is_written_is_read_back) {
  Outgoing message;
  message.message_id = "order/created/\xE4\xBD\xA0";
  message.message_type = "created";
  message.key = "a key, with = and |";
  message.traceparent = "00-1-2-01";
  message.epoch = 2'147'483'647;
  message.sent_at = DatabaseTime(std::chrono::microseconds(1'764'000'000'000'001));
  Delivery delivery;
  const std::string sent_at = to_rfc3339(message.sent_at);
  const Attributes attributes(message, sent_at, "/shop");
  for (const Attribute& attribute : attributes.all()) read(attribute, delivery);
  EXPECT_EQ(delivery.message_id, message.message_id);
  EXPECT_EQ(delivery.message_type, message.message_type);
  EXPECT_EQ(delivery.key, message.key);
  EXPECT_EQ(delivery.traceparent, message.traceparent);
  EXPECT_EQ(delivery.epoch, message.epoch);
  EXPECT_EQ(delivery.sent_at, message.sent_at);
}

TEST(CloudEvents, foreign_and_malformed_attributes_change_nothing_of_a_message) {
  Delivery delivery;
  delivery.epoch = 7;
  delivery.sent_at = DatabaseTime(std::chrono::seconds(9));
  for (const Attribute& attribute :
       {Attribute{"", "x"}, Attribute{"ID", "x"}, Attribute{"unheardof", "x"},
        Attribute{"waybillepoch", "-1"}, Attribute{"waybillepoch", "2147483648"},
        Attribute{"waybillepoch", ""}, Attribute{"waybillsent", "soon"}}) {
    read(attribute, delivery);
  }
  EXPECT_EQ(delivery.message_id, "");
  EXPECT_EQ(delivery.message_type, "");
  EXPECT_EQ(delivery.epoch, 7U);
  EXPECT_EQ(delivery.sent_at, DatabaseTime(std::chrono::seconds(9)));
}

TEST(CloudEvents, the_first_value_that_cannot_be_is_the_defect) {
  const auto defect_of = [](std::initializer_list<Attribute> attributes) {
    Delivery delivery;
    for (const Attribute& attribute : attributes) read(attribute, delivery);
    return delivery.defect;
  };
  EXPECT_EQ(defect_of({{"waybillepoch", "soon"}, {"waybillsent", "soon"}}),
            "the attribute 'waybillepoch' is 'soon', which is no epoch");
  EXPECT_EQ(defect_of({{"waybillepoch", "7"}, {"waybillsent", "soon"}}),
            "the attribute 'waybillsent' is 'soon', which is no UTC time");
  EXPECT_EQ(defect_of({{"specversion", "0.3"}}),
            "the attribute 'specversion' is '0.3', which is no version that is understood");
  EXPECT_EQ(defect_of({{"specversion", "1.0"},
                       {"waybillepoch", "7"},
                       {"waybillsent", "2024-02-29T23:59:59Z"},
                       {"unheardof", "soon"}}),
            "");
}

TEST(CloudEvents, times_are_rfc_3339_in_utc) {
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
}  // namespace waybill::cloud_events
