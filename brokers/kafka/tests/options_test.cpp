#include <gtest/gtest.h>

#include <functional>

#include "client.hpp"

namespace waybill::kafka {
namespace {

using std::chrono::seconds;

Options valid() {
  Options options;
  options.brokers = "kafka://127.0.0.1:1";
  return options;
}

TEST(KafkaOptions, opening_needs_no_broker) {
  EXPECT_TRUE(open_publisher(valid()).ok());
  Options leaving = valid();
  leaving.close_timeout = Millis(0);
  EXPECT_TRUE(open_subscriber(leaving, {"orders", "points", "a"}).ok());
}

TEST(KafkaOptions, every_bound_is_checked) {
  const std::function<void(Options&)> mistakes[] = {
      [](Options& options) { options.brokers = ""; },
      [](Options& options) { options.brokers = "kafka://"; },
      [](Options& options) { options.source = ""; },
      [](Options& options) {
        options.tls = Tls{"", "client.crt", ""};
      },
      [](Options& options) { options.sasl = Sasl{}; },
      [](Options& options) { options.connect_timeout = Millis(999); },
      [](Options& options) { options.admin_timeout = Millis(0); },
      [](Options& options) { options.publish_timeout = seconds(901); },
      [](Options& options) { options.session_timeout = Millis(0); },
      [](Options& options) { options.handling_max = options.session_timeout - Millis(1); },
      [](Options& options) { options.close_timeout = Millis(-1); },
      [](Options& options) { options.window_max = 0; },
      [](Options& options) { options.unsettled_max = 100'001; },
      [](Options& options) { options.unsettled_bytes_max = 0; },
      [](Options& options) { options.body_bytes_max = (std::size_t{64} << 20) + 1; },
      [](Options& options) { options.in_flight_bytes_max = options.body_bytes_max; },
  };
  for (const auto& mistake : mistakes) {
    Options options = valid();
    mistake(options);
    const auto opened = open_publisher(options);
    ASSERT_FALSE(opened.ok()) << &mistake - mistakes;
    EXPECT_EQ(opened.error().remedy, Remedy::fix_call);
    EXPECT_FALSE(opened.error().hint.empty());
  }
}

TEST(KafkaOptions, a_subscriber_needs_a_topic_and_a_group) {
  const SubscriberOptions mistakes[] = {
      {"", "points", "a"}, {"..", "points", "a"}, {"orders", "", "a"}, {"orders", "points", {}}};
  EXPECT_FALSE(open_subscriber(valid(), mistakes[0]).ok());
  EXPECT_FALSE(open_subscriber(valid(), mistakes[1]).ok());
  EXPECT_FALSE(open_subscriber(valid(), mistakes[2]).ok());
  EXPECT_TRUE(open_subscriber(valid(), mistakes[3]).ok()) << "a member needs no name";
}

TEST(KafkaOptions, extra_properties_may_tune_but_not_break_the_promises) {
  Options options = valid();
  options.extra = {{"linger.ms", "5"}, {"compression.type", "lz4"}};
  EXPECT_TRUE(open_publisher(options).ok());
  for (const char* name :
       {"acks", "request.required.acks", "enable.idempotence", "message.timeout.ms",
        "delivery.timeout.ms", "retries", "max.in.flight", "transactional.id",
        "allow.auto.create.topics", "bootstrap.servers", "metadata.broker.list", "sasl.password"}) {
    options.extra = {{name, "1"}};
    const auto publisher = open_publisher(options);
    ASSERT_FALSE(publisher.ok()) << name;
    EXPECT_NE(publisher.error().text.find(name), std::string::npos) << publisher.error().text;
  }
  for (const char* name : {"enable.auto.commit", "enable.auto.offset.store", "group.instance.id",
                           "auto.offset.reset", "partition.assignment.strategy"}) {
    options.extra = {{name, "true"}};
    EXPECT_FALSE(open_subscriber(options, {"orders", "points", "a"}).ok()) << name;
  }
}

TEST(KafkaOptions, errors_name_the_property_and_never_its_value) {
  Options options = valid();
  for (const char* name : {"no.such.property", "linger.ms"}) {
    options.extra = {{name, "s3cret"}};
    const auto publisher = open_publisher(options);
    ASSERT_FALSE(publisher.ok()) << name;
    EXPECT_EQ(publisher.error().to_string().find("s3cret"), std::string::npos)
        << publisher.error().to_string();
  }
}

TEST(KafkaOptions, a_missing_certificate_file_is_told_when_opening) {
  Options options = valid();
  options.tls = Tls{"/no/such/ca.crt", {}, {}};
  const auto publisher = open_publisher(options);
  ASSERT_FALSE(publisher.ok());
  EXPECT_EQ(publisher.error().remedy, Remedy::fix_call);
  EXPECT_NE(publisher.error().text.find("ssl.ca.location"), std::string::npos);
}

TEST(KafkaOptions, brokers_may_come_as_a_url) {
  Options options;
  for (const char* brokers : {"a:1,b:2", "kafka://a:1,b:2", "kafka://a:1,b:2/"}) {
    options.brokers = brokers;
    EXPECT_EQ(brokers_of(options), "a:1,b:2");
  }
}

}  // namespace
}  // namespace waybill::kafka
