#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kafka_fixture.hpp"

namespace waybill::testing {
namespace {

TEST(KafkaWire, other_clients_read_cloud_events_in_binary_mode) {
  KafkaFixture kafka(1);
  kafka.options.source = "/shop/orders";
  Outgoing outgoing = message(1, kafka.topic, "order/t/7", "the body", "customer 1");
  outgoing.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  outgoing.epoch = 3;
  outgoing.sent_at = DatabaseTime(std::chrono::microseconds(1'764'000'000'123'456));
  ASSERT_EQ(publish_one(*kafka.open_publisher(), outgoing).result, PublishResult::acked);
  EXPECT_EQ(run("kcat -C -q -e -b " + kafka.options.brokers.substr(8) + " -t " + kafka.topic +
                " -f '%k|%h|%s'"),
            "customer 1|ce_specversion=1.0,ce_id=order/t/7,ce_source=/shop/orders,ce_type=t,"
            "ce_waybillsent=2025-11-24T16:00:00.123456Z,ce_waybillepoch=3,"
            "ce_partitionkey=customer 1,"
            "ce_traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01|the body");
}

TEST(KafkaWire, an_empty_body_is_no_tombstone_and_no_key_is_no_empty_key) {
  KafkaFixture kafka(1);
  ASSERT_EQ(publish_one(*kafka.open_publisher(), message(1, kafka.topic, "order/t/7")).result,
            PublishResult::acked);
  EXPECT_EQ(run("kcat -C -q -e -b " + kafka.options.brokers.substr(8) + " -t " + kafka.topic +
                " -f '%K %S'"),
            "-1 0");
}

TEST(KafkaWire, the_preset_plain_is_the_body_and_one_header) {
  KafkaFixture kafka(1);
  kafka.options.format = WireFormat::plain;
  Outgoing outgoing = message(1, kafka.topic, "order/t/7", "the body", "customer 1");
  outgoing.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  ASSERT_EQ(publish_one(*kafka.open_publisher(), outgoing).result, PublishResult::acked);
  EXPECT_EQ(run("kcat -C -q -e -b " + kafka.options.brokers.substr(8) + " -t " + kafka.topic +
                " -f '%k|%h|%s'"),
            "customer 1|message_id=order/t/7|the body");
  const auto subscriber = kafka.open_subscriber("reader", "reader");
  EXPECT_EQ(receive(*subscriber, 1).at(0).message_id, "order/t/7");
}

TEST(KafkaWire, the_cloudevents_sdk_for_python_reads_every_attribute_and_byte) {
  KafkaFixture kafka(1);
  kafka.options.source = "/shop/orders";
  const auto publisher = kafka.open_publisher();
  std::string bytes;
  std::string hex;
  for (int byte = 0; byte < 256; ++byte) {
    bytes += static_cast<char>(byte);
    hex += fmt::format("{:02x}", byte);
  }
  Outgoing outgoing = message(1, kafka.topic, "order/order.placed/A%2F17", bytes, "Z\u00fcrich");
  outgoing.message_type = "order.placed";
  outgoing.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  outgoing.epoch = 3;
  outgoing.sent_at = DatabaseTime(std::chrono::microseconds(1'764'000'000'123'456));
  ASSERT_EQ(publish_one(*publisher, outgoing).result, PublishResult::acked);
  for (const char* body : {"", "\U0001F69A"}) {
    ASSERT_EQ(publish_one(*publisher, message(2, kafka.topic, "a/t/1", body)).result,
              PublishResult::acked);
  }
  const std::string rest =
      "id=a/t/1,source=/shop/orders,specversion=1.0,type=t,waybillepoch=0,"
      "waybillsent=1970-01-01T00:00:00.000000Z ";
  EXPECT_EQ(run("PYTHONPATH=" WAYBILL_PYTHON_PACKAGES " python3 " WAYBILL_KAFKA_TESTS
                "/read_cloud_events.py " +
                kafka.options.brokers.substr(8) + " " + kafka.topic + " 3"),
            "id=order/order.placed/A%2F17,partitionkey=Z\u00fcrich,source=/shop/orders,"
            "specversion=1.0,traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,"
            "type=order.placed,waybillepoch=3,waybillsent=2025-11-24T16:00:00.123456Z " +
                hex + "\n" + rest + "\n" + rest + "f09f9a9a\n");
}

}  // namespace
}  // namespace waybill::testing
