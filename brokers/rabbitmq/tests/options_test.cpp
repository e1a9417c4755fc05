#include "options.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace waybill::rabbitmq {
namespace {

using std::chrono::seconds;

Options valid() {
  Options options;
  options.url = "amqp://127.0.0.1:1";
  return options;
}

TEST(RabbitmqUrl, has_parts_with_defaults) {
  const auto plain = parse_url("amqp://rabbit");
  ASSERT_TRUE(plain.ok()) << plain.error().to_string();
  EXPECT_EQ(plain->host, "rabbit");
  EXPECT_EQ(plain->port, 5672);
  EXPECT_EQ(plain->user, "guest");
  EXPECT_EQ(plain->password, "guest");
  EXPECT_EQ(plain->virtual_host, "/");
  EXPECT_FALSE(plain->tls);
  const auto secure = parse_url("amqps://rabbit/");
  ASSERT_TRUE(secure.ok());
  EXPECT_EQ(secure->port, 5671);
  EXPECT_EQ(secure->virtual_host, "/");
  EXPECT_TRUE(secure->tls);
  const auto address = parse_url("amqp://[::1]:5673/shop");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->host, "::1");
  EXPECT_EQ(address->port, 5673);
  EXPECT_EQ(address->virtual_host, "shop");
}

TEST(RabbitmqUrl, parts_are_percent_decoded) {
  const auto url = parse_url("amqp://a%40b:p%3A%2F%25@h:1/%2Fshop%2Feu");
  ASSERT_TRUE(url.ok()) << url.error().to_string();
  EXPECT_EQ(url->user, "a@b");
  EXPECT_EQ(url->password, "p:/%");
  EXPECT_EQ(url->virtual_host, "/shop/eu");
}

TEST(RabbitmqUrl, what_is_none_is_told_without_repeating_it) {
  for (const char* text :
       {"", "rabbit:5672", "http://u:s3cret@h", "amqp://", "amqp://u:s3cret@", "amqp://u:s3%ret@h",
        "amqp://u:s3cret%0@h", "amqp://u:s3cret@h:0", "amqp://u:s3cret@h:65536",
        "amqp://u:s3cret@h:port", "amqp://u:s3cret@h/a/b", "amqp://u:s3cret@h/a?heartbeat=1",
        "amqp://u:s3cret%00@h", "amqp://:s3cret@h", "amqp://u:s3cret@[::1",
        "amqp://u:s3cret@h/%zz"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().remedy, Remedy::fix_call);
    EXPECT_EQ(url.error().to_string().find("s3"), std::string::npos) << url.error().to_string();
  }
}

TEST(RabbitmqOptions, opening_needs_no_server) {
  EXPECT_TRUE(open_publisher(valid()).ok());
  EXPECT_TRUE(open_subscriber(valid(), {"orders", "a"}).ok());
  EXPECT_TRUE(open_subscriber(valid(), {"orders", ""}).ok()) << "a member needs no name";
}

TEST(RabbitmqOptions, every_bound_is_checked) {
  const std::function<void(Options&)> mistakes[] = {
      [](Options& options) { options.url = "kafka://h"; },
      [](Options& options) { options.source = ""; },
      [](Options& options) { options.tls.certificate_file = "client.crt"; },
      [](Options& options) { options.connect_timeout = Millis(999); },
      [](Options& options) { options.admin_timeout = Millis(0); },
      [](Options& options) { options.publish_timeout = seconds(901); },
      [](Options& options) { options.heartbeat = Millis(999); },
      [](Options& options) { options.handling_max = Millis(9999); },
      [](Options& options) { options.close_timeout = Millis(-1); },
      [](Options& options) { options.window_max = 0; },
      [](Options& options) { options.unsettled_max = 65'536; },
      [](Options& options) { options.unsettled_bytes_max = 0; },
      [](Options& options) { options.body_bytes_max = (std::size_t{128} << 20) + 1; },
  };
  for (const auto& mistake : mistakes) {
    Options options = valid();
    mistake(options);
    const auto opened = open_publisher(options);
    ASSERT_FALSE(opened.ok()) << &mistake - mistakes;
    EXPECT_EQ(opened.error().remedy, Remedy::fix_call);
    EXPECT_FALSE(opened.error().hint.empty());
  }
  EXPECT_FALSE(open_subscriber(valid(), {"", "a"}).ok());
  EXPECT_FALSE(open_subscriber(valid(), {std::string(256, 'q'), "a"}).ok());
}

TEST(RabbitmqOptions, a_file_of_tls_that_is_missing_is_told_when_opening) {
  Options options = valid();
  options.url = "amqps://127.0.0.1:1";
  options.tls.ca_file = "/no/such/ca.crt";
  const auto publisher = open_publisher(options);
  ASSERT_FALSE(publisher.ok());
  EXPECT_EQ(publisher.error().remedy, Remedy::fix_call);
  EXPECT_NE(publisher.error().text.find("/no/such/ca.crt"), std::string::npos);
}

}  // namespace
}  // namespace waybill::rabbitmq
