// Broken CloudEvents from foreign producers reach the points service over a real broker.
#include <gtest/gtest.h>
#include <unistd.h>

#include "broker.hpp"
#include "shop.hpp"

namespace waybill::e2e {
namespace {

using order_points::test::run_program;

TEST(ForeignEvents, I6_what_cannot_be_handled_is_parked_with_its_reason_and_the_others_go_on) {
  const std::string broker = broker_url();
  const std::string topic = "foreign-" + std::to_string(::getpid());
  Shop shop;
  ASSERT_EQ(shop.waybill("broker apply " + topic + " --queue " + broker).exit_code, 0);
  shop.set_broker("points_service", broker);
  shop.start_order_service("relay");
  shop.start_points_service({"--topic", topic, "--group", topic});
  const auto published = run_program("PYTHONPATH=" WAYBILL_PYTHON_PACKAGES
                                     " python3 " WAYBILL_E2E_FOLDER "/publish_foreign_events.py " +
                                     broker + " " + topic);
  ASSERT_EQ(published.exit_code, 0) << published.output;
  const std::string broken = std::to_string(std::stoi(published.output));
  const std::string parked = "SELECT COUNT(*) FROM waybill_parked WHERE reason <> ''";
  EXPECT_TRUE(shop.wait_for("points", parked, broken)) << shop.sql("points", parked).at(0);
  EXPECT_EQ(shop.sql("points", "SELECT order_id FROM grants"), std::vector<std::string>{"F-1"});
  for (const auto& [id, reason] : std::map<std::string, std::string>{
           {"foreign/order.placed/epoch",
            "the attribute 'waybillepoch' is 'soon', which is no epoch"},
           {"foreign/order.placed/sent",
            "the attribute 'waybillsent' is 'yesterday', which is no UTC time"},
           {"foreign/order.placed/type", "no handler for message type 'order.unheardof'"}}) {
    EXPECT_EQ(
        shop.sql("points", "SELECT reason FROM waybill_parked WHERE message_id = '" + id + "'"),
        std::vector<std::string>{reason});
  }
  // Nothing loops: the broker was told of all of them.
  shop.stop("points_service");
  shop.sql("points", "DELETE FROM waybill_parked; DELETE FROM waybill_inbox");
  shop.start_points_service({"--topic", topic, "--group", topic});
  ASSERT_EQ(run_program("PYTHONPATH=" WAYBILL_PYTHON_PACKAGES " python3 " WAYBILL_E2E_FOLDER
                        "/publish_foreign_events.py " +
                        broker + " " + topic)
                .exit_code,
            0);
  EXPECT_TRUE(shop.wait_for("points", parked, broken)) << shop.sql("points", parked).at(0);
  EXPECT_EQ(shop.sql("points", "SELECT COUNT(*) FROM grants"), std::vector<std::string>{"2"})
      << "the first round did not come again";
}

}  // namespace
}  // namespace waybill::e2e
