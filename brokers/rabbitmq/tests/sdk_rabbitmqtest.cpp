#include <gtest/gtest.h>

#include "rabbitmq_fixture.hpp"

namespace waybill::testing {
namespace {

std::string read_by_the_sdk(const RabbitmqFixture& rabbitmq, int count) {
  return run("PYTHONPATH=" WAYBILL_PYTHON_PACKAGES " python3 " WAYBILL_RABBITMQ_TESTS
             "/read_cloud_events.py '" +
             rabbitmq.options.url + "' " + rabbitmq.queue_of("points") + " " +
             std::to_string(count));
}

TEST(RabbitmqSdk, the_cloudevents_sdk_for_python_reads_every_attribute_and_byte) {
  RabbitmqFixture rabbitmq;
  rabbitmq.options.source = "/shop/orders";
  const auto publisher = rabbitmq.open_publisher();
  const std::string destination = rabbitmq.destination();
  std::string bytes;
  std::string hex;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr const char* kDigits = "0123456789abcdef";
    bytes += static_cast<char>(byte);
    hex += {kDigits[byte / 16], kDigits[byte % 16]};
  }
  Outgoing outgoing = message(1, destination, "order/order.placed/A%2F17", bytes, "Z\u00fcrich");
  outgoing.message_type = "order.placed";
  outgoing.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  outgoing.epoch = 3;
  outgoing.sent_at = DatabaseTime(std::chrono::microseconds(1'764'000'000'123'456));
  ASSERT_EQ(publish_one(*publisher, outgoing).result, PublishResult::acked);
  for (const char* body : {"", "\U0001F69A"}) {
    ASSERT_EQ(publish_one(*publisher, message(2, destination, "a/t/1", body)).result,
              PublishResult::acked);
  }
  const std::string rest =
      "id=a/t/1,source=/shop/orders,specversion=1.0,type=t,waybillepoch=0,"
      "waybillsent=1970-01-01T00:00:00.000000Z ";
  EXPECT_EQ(read_by_the_sdk(rabbitmq, 3),
            "id=order/order.placed/A%2F17,partitionkey=Z\u00fcrich,source=/shop/orders,"
            "specversion=1.0,traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,"
            "type=order.placed,waybillepoch=3,waybillsent=2025-11-24T16:00:00.123456Z " +
                hex + "\n" + rest + "\n" + rest + "f09f9a9a\n");
}

}  // namespace
}  // namespace waybill::testing
