// The answer to a publish is lost between a real broker and its publisher.
#include <gtest/gtest.h>

#include "rabbitmq_fixture.hpp"
#include "waybill/testing/lost_answers.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

// Where the port is written in "amqp://user:password@host:port/vhost".
std::pair<std::size_t, std::size_t> port_in(const std::string& url) {
  const std::size_t begin = url.rfind(':') + 1;
  return {begin, std::min(url.find('/', begin), url.size()) - begin};
}

class GatedRabbitmq final : public GatedBroker {
 public:
  GatedRabbitmq() : direct_(rabbitmq_.options.url) {
    rabbitmq_.options.publish_timeout = seconds(1);
    rabbitmq_.options.connect_timeout = seconds(1);
    rabbitmq_.options.heartbeat = seconds(1);
  }

  GateProtocol protocol() const override { return GateProtocol::amqp; }
  std::uint16_t port() const override {
    const auto [begin, size] = port_in(direct_);
    return static_cast<std::uint16_t>(std::stoi(direct_.substr(begin, size)));
  }
  std::string destination() const override { return rabbitmq_.destination(); }
  std::unique_ptr<Publisher> open_publisher(std::uint16_t port) override {
    const auto [begin, size] = port_in(direct_);
    rabbitmq_.options.url = direct_;
    rabbitmq_.options.url.replace(begin, size, std::to_string(port));
    auto publisher = rabbitmq_.open_publisher();
    rabbitmq_.options.url = direct_;
    return publisher;
  }
  std::unique_ptr<Subscriber> open_subscriber() override {
    return rabbitmq_.open_subscriber("points", "reader");
  }

 private:
  RabbitmqFixture rabbitmq_;
  const std::string direct_;
};

INSTANTIATE_TEST_SUITE_P(Rabbitmq, LostAnswers,
                         ::testing::Values(GatedBrokerUnderTest{
                             "rabbitmq", [] { return std::make_unique<GatedRabbitmq>(); }}),
                         [](const auto& tested) { return tested.param.name; });

TEST(RabbitmqLostAnswers, B2_a_connection_that_breaks_before_the_ack_leaves_the_message_in_doubt) {
  GatedRabbitmq rabbitmq;
  GatedPublisher publisher(rabbitmq);
  ASSERT_EQ(publisher.publish("a/t/1"), PublishResult::acked);
  for (const GateEnd end : {GateEnd::cut, GateEnd::reset}) {
    publisher.gate.break_at({GateSender::server, GateKind::publish}, end);
    EXPECT_EQ(publisher.publish("a/t/2"), PublishResult::unknown);
    ASSERT_TRUE(publisher.gate.has_acted());
  }
  EXPECT_EQ(publisher.publish_until_acked("a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(publisher.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2", "a/t/2"}));
}

}  // namespace
}  // namespace waybill::testing
