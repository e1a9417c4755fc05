#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "rabbitmq_fixture.hpp"
#include "waybill/testing/certificates.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

Steady now() {
  return std::chrono::steady_clock::now();
}

// A server with TLS, users and access rights: alice may do everything in "shop/eu", bob nothing.
class SecureRabbitmq : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = std::make_unique<Certificates>();
    certificates_->make("server", 2);
    std::random_device random;
    port_ = 10000 + random() % 9000;
    const std::string definitions = certificates_->path("definitions.json");
    std::ofstream(definitions) << R"({"vhosts":[{"name":"/"},{"name":"shop/eu"}],"users":[
        {"name":"guest","password":"guest","tags":"administrator"},
        {"name":"alice","password":"r@ght/:%","tags":""},
        {"name":"bob","password":"right","tags":""}],"permissions":[
        {"user":"guest","vhost":"/","configure":".*","write":".*","read":".*"},
        {"user":"alice","vhost":"shop/eu","configure":".*","write":".*","read":".*"},
        {"user":"bob","vhost":"shop/eu","configure":"^$","write":"^$","read":"^$"}]})";
    const std::string configuration = certificates_->path("configuration");
    std::ofstream(configuration) << "load_definitions = " << definitions
                                 << "\nlisteners.ssl.1 = 127.0.0.1:" << port_
                                 << "\nssl_options.cacertfile = " << certificates_->path("ca.crt")
                                 << "\nssl_options.certfile = " << certificates_->path("server.crt")
                                 << "\nssl_options.keyfile = " << certificates_->path("server.key")
                                 << "\nssl_options.verify = verify_none\n";
    run("chmod a+r " + certificates_->path("*"));
    server_ = std::make_unique<Server>(own_rabbitmq(configuration));
    rabbitmq::Topology topology;
    topology.exchange = "orders";
    topology.queue = "orders.points";
    topology.bindings = {"#"};
    must(rabbitmq::apply_topology(alice(), topology));
  }

  static void TearDownTestSuite() {
    server_.reset();
    certificates_.reset();
  }

  static rabbitmq::Options options_of(const std::string& login, const std::string& host,
                                      std::uint32_t port) {
    rabbitmq::Options options;
    options.url = "amqps://" + login + "@" + host + ":" + std::to_string(port) + "/shop%2Feu";
    options.tls.ca_file = certificates_->path("ca.crt");
    options.publish_timeout = seconds(5);
    options.admin_timeout = seconds(5);
    return options;
  }
  static rabbitmq::Options alice() {
    return options_of("alice:r%40ght%2F%3A%25", "localhost", port_);
  }

  static Answer publish(const rabbitmq::Options& options) {
    return publish_one(*must(rabbitmq::open_publisher(options)), message(1, "orders/", "a/t/1"));
  }

  static void expect_refused_certificate(const rabbitmq::Options& options) {
    const std::string why = "certificate verify failed";
    const Answer answer = publish(options);
    EXPECT_EQ(answer.result, PublishResult::unreachable) << answer.reason;
    EXPECT_NE(answer.reason.find(why), std::string::npos) << answer.reason;
    rabbitmq::Topology topology;
    topology.exchange = "orders";
    const Status checked = rabbitmq::check_topology(options, topology);
    ASSERT_FALSE(checked.ok());
    EXPECT_NE(checked.error().text.find(why), std::string::npos) << checked.error().text;
  }

  static std::unique_ptr<Certificates> certificates_;
  static std::uint32_t port_;

 private:
  static std::unique_ptr<Server> server_;
};

std::unique_ptr<Certificates> SecureRabbitmq::certificates_;
std::uint32_t SecureRabbitmq::port_ = 0;
std::unique_ptr<Server> SecureRabbitmq::server_;

TEST_F(SecureRabbitmq, L3_publishes_with_tls_and_refuses_certificates_of_others) {
  const Answer answer = publish(alice());
  EXPECT_EQ(answer.result, PublishResult::acked) << answer.reason;
  auto subscriber = rabbitmq::open_subscriber(alice(), {"orders.points", "a"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  EXPECT_EQ(receive(**subscriber, 1).size(), 1U);
  // A window that fills TLS records and socket buffers.
  const std::string body(20'000, 'b');
  auto publisher = rabbitmq::open_publisher(alice());
  ASSERT_TRUE(publisher.ok());
  std::vector<Outgoing> messages;
  for (std::uint64_t i = 0; i < 300; ++i) messages.push_back(message(i, "orders/", "b/t/1", body));
  OutcomeBook book;
  ASSERT_EQ((*publisher)->submit(messages), messages.size());
  const Steady until = now() + seconds(20);
  while (book.count < messages.size() && now() < until) (*publisher)->poll(until, book);
  for (const auto& [token, results] : book.outcomes) {
    EXPECT_EQ(results, std::vector{PublishResult::acked}) << token;
  }
  for (const Delivery& delivery : receive(**subscriber, 300)) EXPECT_TRUE(delivery.body == body);

  rabbitmq::Options other_authority = alice();
  other_authority.tls.ca_file = certificates_->path("other.crt");
  expect_refused_certificate(other_authority);
  rabbitmq::Options other_name = alice();
  other_name.url.replace(other_name.url.find("localhost"), 9, "127.0.0.1");
  expect_refused_certificate(other_name);
  other_name.tls.verify_name = false;
  EXPECT_EQ(publish(other_name).result, PublishResult::acked);
  other_authority.tls.verify_peer = false;
  EXPECT_EQ(publish(other_authority).result, PublishResult::acked);
}

TEST_F(SecureRabbitmq, C4_denied_access_is_destination_down_and_told_to_a_consumer) {
  const rabbitmq::Options bob = options_of("bob:right", "localhost", port_);
  auto publisher = rabbitmq::open_publisher(bob);
  ASSERT_TRUE(publisher.ok());
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Answer answer = publish_one(**publisher, message(i, "orders/", "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::destination_down) << answer.reason;
    EXPECT_NE(answer.reason.find("refused"), std::string::npos) << answer.reason;
  }
  auto subscriber = rabbitmq::open_subscriber(bob, {"orders.points", "a"});
  ASSERT_TRUE(subscriber.ok());
  std::vector<Delivery> out;
  const Status received = (*subscriber)->receive(now() + seconds(10), 1, out);
  ASSERT_FALSE(received.ok());
  EXPECT_EQ(received.error().remedy, Remedy::fix_call) << received.error().to_string();
}

TEST(RabbitmqTls, L3_an_expired_certificate_is_refused) {
  Certificates certificates;
  certificates.make("expired", -1);
  std::random_device random;
  const std::string port = std::to_string(10000 + random() % 9000);
  const std::string server =
      run("openssl s_server -accept 127.0.0.1:" + port + " -quiet -cert " +
          certificates.path("expired.crt") + " -key " + certificates.path("expired.key") +
          " >/dev/null 2>&1 </dev/null & echo $!");
  rabbitmq::Options options;
  options.url = "amqps://localhost:" + port;
  options.tls.ca_file = certificates.path("ca.crt");
  auto publisher = rabbitmq::open_publisher(options);
  ASSERT_TRUE(publisher.ok()) << publisher.error().to_string();
  Answer answer;
  const Steady until = now() + seconds(10);
  // It listens some time after it was started.
  while (answer.reason.find("expired") == std::string::npos && now() < until) {
    answer = publish_one(**publisher, message(1, "orders", "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::unreachable) << answer.reason;
  }
  EXPECT_NE(answer.reason.find("certificate verify failed"), std::string::npos) << answer.reason;
  EXPECT_NE(answer.reason.find("expired"), std::string::npos) << answer.reason;
  run("kill " + server);
}

}  // namespace
}  // namespace waybill::testing
