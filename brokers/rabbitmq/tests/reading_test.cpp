#include "reading.hpp"

#include <gtest/gtest.h>

#include "publisher.hpp"
#include "raw_client.hpp"

namespace waybill::rabbitmq {
namespace {

using testing::number_header;
using testing::text_header;

Delivery read(std::vector<amqp_table_entry_t> headers) {
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers = {static_cast<int>(headers.size()), headers.data()};
  return read_properties(properties);
}

TEST(RabbitmqReading, attributes_come_under_either_prefix_and_in_native_types) {
  amqp_table_entry_t time = number_header("cloudEvents_waybillsent", 1'764'000'000);
  time.value.kind = AMQP_FIELD_KIND_TIMESTAMP;
  const Delivery delivery =
      read({text_header("cloudEvents:id", "a/t/1"), text_header("cloudEvents_type", "t"),
            number_header("cloudEvents:waybillepoch", 7), time});
  EXPECT_EQ(delivery.message_id, "a/t/1");
  EXPECT_EQ(delivery.message_type, "t");
  EXPECT_EQ(delivery.epoch, 7U);
  EXPECT_EQ(delivery.sent_at, DatabaseTime(std::chrono::seconds(1'764'000'000)));
}

TEST(RabbitmqReading, other_headers_change_nothing_and_an_id_that_no_inbox_could_keep_is_none) {
  const std::string too_long(769, 'i');
  const Delivery delivery =
      read({text_header("id", "x"), text_header("cloudEvents", "x"), text_header("", "x"),
            text_header("cloudEvents_id", too_long.c_str())});
  EXPECT_EQ(delivery.message_id, "");
  EXPECT_EQ(delivery.message_type, "");
}

TEST(RabbitmqReading, an_event_has_its_own_id_even_beside_the_plain_one) {
  const auto plain = text_header("message_id", "plain");
  const auto event = text_header("cloudEvents_id", "event");
  EXPECT_EQ(read({plain}).message_id, "plain");
  EXPECT_EQ(read({plain, event}).message_id, "event");
  EXPECT_EQ(read({event, plain}).message_id, "event");
}

TEST(RabbitmqReading, a_nameless_message_has_the_same_name_each_time) {
  EXPECT_EQ(name_of("q", "body"), name_of("q", "body"));
  EXPECT_NE(name_of("q", "body"), name_of("q", "other"));
  EXPECT_TRUE(name_of("q", "").starts_with("rabbitmq:q:"));
}

TEST(RabbitmqTarget, a_destination_is_a_queue_or_an_exchange_with_a_key) {
  struct Case {
    std::string destination;
    std::string exchange;
    std::string key;
  };
  for (const auto& [destination, exchange, key] :
       {Case{"orders", "", "orders"}, Case{"events/", "events", "order.placed"},
        Case{"events/eu", "events", "eu"}, Case{"events/a/b", "events", "a/b"},
        Case{"/a/b", "", "a/b"}, Case{"/", "", ""}, Case{"", "", ""}}) {
    Outgoing message;
    message.destination = destination;
    message.message_type = "order.placed";
    EXPECT_EQ(target_of(message).exchange, exchange) << destination;
    EXPECT_EQ(target_of(message).routing_key, key) << destination;
  }
}

}  // namespace
}  // namespace waybill::rabbitmq
