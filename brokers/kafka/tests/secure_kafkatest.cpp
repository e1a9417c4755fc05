#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "kafka_fixture.hpp"
#include "waybill/testing/certificates.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

// A server with TLS, passwords and access rights: alice may do everything, bob nothing. A second
// port shows an expired certificate.
class SecureKafka : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = std::make_unique<Certificates>();
    certificates_->make("server", 2);
    certificates_->make("expired", -1);
    std::random_device random;
    port_ = 10000 + random() % 9000;
    const std::string secure = std::to_string(port_);
    const std::string expired = std::to_string(port_ + 1);
    const std::string properties = certificates_->path("properties");
    std::ofstream(properties)
        << "listeners=PLAINTEXT://127.0.0.1:@PORT@,SECURE://127.0.0.1:" << secure
        << ",EXPIRED://127.0.0.1:" << expired << ",CONTROLLER://127.0.0.1:@CONTROLLER@\n"
        << "advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SECURE://localhost:" << secure
        << ",EXPIRED://localhost:" << expired << R"(
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,EXPIRED:SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=\
  org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_alice="right" user_bob="right";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice
listener.name.secure.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location=)"
        << certificates_->path("server.pem")
        << "\nlistener.name.expired.ssl.keystore.location=" << certificates_->path("expired.pem")
        << "\n";
    server_ = std::make_unique<Server>(own_kafka(properties));
    topic_ = random_name("orders");
    kafka::Options plain;
    plain.brokers = server_->url();
    must(kafka::apply_topology(plain, {topic_, 1, 1}));
  }

  static void TearDownTestSuite() {
    server_.reset();
    certificates_.reset();
  }

  static kafka::Options options_of(const std::string& user, const std::string& password) {
    kafka::Options options;
    options.brokers = "localhost:" + std::to_string(port_);
    options.tls = kafka::Tls{certificates_->path("ca.crt"), {}, {}};
    options.sasl = kafka::Sasl{"PLAIN", user, password};
    options.extra = {{"broker.address.family", "v4"}};
    options.publish_timeout = seconds(3);
    options.admin_timeout = seconds(3);
    return options;
  }

  static Answer publish(const kafka::Options& options) {
    return publish_one(*must(kafka::open_publisher(options)), message(1, topic_, "a/t/1"));
  }

  static void expect_refused_certificate(const kafka::Options& options) {
    const std::string why = "certificate verify failed";
    const Answer answer = publish(options);
    EXPECT_EQ(answer.result, PublishResult::unreachable) << answer.reason;
    EXPECT_NE(answer.reason.find(why), std::string::npos) << answer.reason;
    const Status checked = kafka::check_topology(options, {topic_});
    ASSERT_FALSE(checked.ok());
    EXPECT_NE(checked.error().text.find(why), std::string::npos) << checked.error().text;
  }

  static std::unique_ptr<Certificates> certificates_;
  static std::string topic_;
  static std::uint32_t port_;

 private:
  static std::unique_ptr<Server> server_;
};

std::unique_ptr<Certificates> SecureKafka::certificates_;
std::string SecureKafka::topic_;
std::uint32_t SecureKafka::port_ = 0;
std::unique_ptr<Server> SecureKafka::server_;

TEST_F(SecureKafka, publishes_and_consumes_with_tls_and_a_password) {
  const kafka::Options options = options_of("alice", "right");
  const Answer answer = publish(options);
  EXPECT_EQ(answer.result, PublishResult::acked) << answer.reason;
  auto subscriber = kafka::open_subscriber(options, {topic_, "points", "a"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  EXPECT_EQ(receive(**subscriber, 1).size(), 1U);
  EXPECT_TRUE(kafka::check_topology(options, {topic_}).ok());
}

TEST_F(SecureKafka, C4_a_refused_password_is_destination_down_and_told_to_a_consumer) {
  const kafka::Options options = options_of("alice", "wrong-secret");
  const Answer answer = publish(options);
  EXPECT_EQ(answer.result, PublishResult::destination_down) << answer.reason;
  EXPECT_NE(answer.reason.find("uthentication"), std::string::npos) << answer.reason;
  EXPECT_EQ(answer.reason.find("wrong-secret"), std::string::npos) << answer.reason;
  auto subscriber = kafka::open_subscriber(options, {topic_, "points", "a"});
  ASSERT_TRUE(subscriber.ok());
  std::vector<Delivery> out;
  const Status received =
      (*subscriber)->receive(std::chrono::steady_clock::now() + seconds(10), 1, out);
  ASSERT_FALSE(received.ok());
  EXPECT_EQ(received.error().remedy, Remedy::fix_call);
}

TEST_F(SecureKafka, a_refused_password_is_told_without_waiting_for_the_time_out) {
  kafka::Options options = options_of("alice", "wrong-secret");
  options.admin_timeout = seconds(60);
  for (const auto ask : {&kafka::check_topology, &kafka::apply_topology}) {
    const Steady asked = std::chrono::steady_clock::now();
    const Status answer = ask(options, {topic_});
    EXPECT_LT(std::chrono::steady_clock::now() - asked, options.admin_timeout / 2);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().remedy, Remedy::fix_call) << answer.error().to_string();
  }
}

TEST_F(SecureKafka, C4_denied_access_is_destination_down_and_told_to_a_consumer) {
  const kafka::Options options = options_of("bob", "right");
  auto publisher = kafka::open_publisher(options);
  ASSERT_TRUE(publisher.ok());
  for (std::uint64_t i = 0; i < 3; ++i) {
    OutcomeBook book;
    const Outgoing outgoing = message(i, topic_, "a/t/1");
    const Steady until = std::chrono::steady_clock::now() + seconds(20);
    while ((*publisher)->submit({&outgoing, 1}) == 0) {
      (*publisher)->poll(std::chrono::steady_clock::now() + Millis(50), book);
      ASSERT_LT(std::chrono::steady_clock::now(), until);
    }
    while (book.count == 0) (*publisher)->poll(until, book);
    EXPECT_EQ(book.outcomes[i], std::vector{PublishResult::destination_down});
  }
  auto subscriber = kafka::open_subscriber(options, {topic_, "points", "a"});
  ASSERT_TRUE(subscriber.ok());
  std::vector<Delivery> out;
  const Status received =
      (*subscriber)->receive(std::chrono::steady_clock::now() + seconds(10), 1, out);
  ASSERT_FALSE(received.ok());
  EXPECT_EQ(received.error().remedy, Remedy::fix_call) << received.error().to_string();
}

TEST_F(SecureKafka, L3_a_certificate_of_another_authority_name_or_time_is_refused) {
  kafka::Options other_authority = options_of("alice", "right");
  other_authority.tls->ca_file = certificates_->path("other.crt");
  expect_refused_certificate(other_authority);
  kafka::Options other_name = options_of("alice", "right");
  other_name.brokers = "127.0.0.1:" + std::to_string(port_);
  expect_refused_certificate(other_name);
  kafka::Options expired = options_of("alice", "right");
  expired.brokers = "localhost:" + std::to_string(port_ + 1);
  expired.sasl.reset();
  expect_refused_certificate(expired);
}

}  // namespace
}  // namespace waybill::testing
