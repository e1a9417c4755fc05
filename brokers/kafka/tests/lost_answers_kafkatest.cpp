// The answer to a publish is lost between a real broker and its publisher.
#include <gtest/gtest.h>

#include "kafka_fixture.hpp"
#include "waybill/testing/lost_answers.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

class GatedKafka final : public GatedBroker {
 public:
  GatedKafka() : direct_(kafka_.options.brokers) {
    kafka_.options.publish_timeout = seconds(1);
    kafka_.options.connect_timeout = seconds(1);
    kafka_.options.extra["api.version.request.timeout.ms"] = "1000";
  }

  GateProtocol protocol() const override { return GateProtocol::kafka; }
  std::uint16_t port() const override {
    return static_cast<std::uint16_t>(std::stoi(direct_.substr(direct_.rfind(':') + 1)));
  }
  std::string destination() const override { return kafka_.topic; }
  std::unique_ptr<Publisher> open_publisher(std::uint16_t port) override {
    kafka_.options.brokers = "127.0.0.1:" + std::to_string(port);
    auto publisher = kafka_.open_publisher();
    kafka_.options.brokers = direct_;
    return publisher;
  }
  std::unique_ptr<Subscriber> open_subscriber() override {
    return kafka_.open_subscriber("reader", "reader");
  }

 private:
  KafkaFixture kafka_{1};
  const std::string direct_;
};

INSTANTIATE_TEST_SUITE_P(Kafka, LostAnswers,
                         ::testing::Values(GatedBrokerUnderTest{
                             "kafka", [] { return std::make_unique<GatedKafka>(); }}),
                         [](const auto& tested) { return tested.param.name; });

TEST(KafkaLostAnswers, B2_an_idempotent_producer_that_is_cut_off_once_learns_the_outcome_itself) {
  GatedKafka kafka;
  GatedPublisher publisher(kafka);
  ASSERT_EQ(publisher.publish("a/t/1"), PublishResult::acked);
  for (const GateEnd end : {GateEnd::cut, GateEnd::reset}) {
    publisher.gate.break_at({GateSender::server, GateKind::publish}, end);
    EXPECT_EQ(publisher.publish("a/t/2"), PublishResult::acked);
    ASSERT_TRUE(publisher.gate.has_acted());
  }
  EXPECT_EQ(publisher.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

}  // namespace
}  // namespace waybill::testing
