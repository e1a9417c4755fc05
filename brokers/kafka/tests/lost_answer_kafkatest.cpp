// The answer to a publish is lost between a real broker and its publisher: a TCP gate breaks the
// connection at a chosen message.
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <vector>

#include "kafka_fixture.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

constexpr GateMessage kPublish{GateSender::client, GateKind::publish};
constexpr GateMessage kAnswer{GateSender::server, GateKind::publish};

// A topic on the real broker, and publishers that reach it through a gate.
class GatedKafka {
 public:
  GatedKafka()
      : kafka_(1), gate("127.0.0.1", port_of(kafka_.options.brokers), GateProtocol::kafka) {
    direct_ = kafka_.options.brokers;
    kafka_.options.publish_timeout = seconds(1);
    kafka_.options.connect_timeout = seconds(1);
    kafka_.options.extra["api.version.request.timeout.ms"] = "1000";
  }

  std::unique_ptr<Publisher> open_publisher() {
    kafka_.options.brokers = "127.0.0.1:" + std::to_string(gate.port());
    auto publisher = kafka_.open_publisher();
    kafka_.options.brokers = direct_;
    return publisher;
  }

  PublishResult publish(Publisher& publisher, const std::string& id) {
    return publish_one(publisher, message(1, kafka_.topic, id)).result;
  }

  // As the relay does: again until it is acked. Answers the outcomes.
  std::vector<PublishResult> publish_until_acked(Publisher& publisher, const std::string& id) {
    std::vector<PublishResult> outcomes;
    const Steady until = std::chrono::steady_clock::now() + seconds(30);
    do {
      outcomes.push_back(publish(publisher, id));
    } while (outcomes.back() != PublishResult::acked && std::chrono::steady_clock::now() < until);
    return outcomes;
  }

  // The ids in the topic, in order.
  std::vector<std::string> stored() {
    const auto subscriber = kafka_.open_subscriber(random_name("reader"), "reader");
    // Whatever is there comes before this one.
    static_cast<void>(
        publish_one(*kafka_.open_publisher(), message(1, kafka_.topic, "the/last/1")));
    std::vector<std::string> ids;
    while (ids.empty() || ids.back() != "the/last/1") {
      const auto more = receive(*subscriber, 1);
      if (more.empty()) throw std::runtime_error("the last message does not come");
      ids.push_back(more[0].message_id);
    }
    ids.pop_back();
    return ids;
  }

 private:
  static std::uint16_t port_of(const std::string& url) {
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }

  KafkaFixture kafka_;
  std::string direct_;

 public:
  TcpGate gate;
};

TEST(KafkaLostAnswer, B2_the_broker_got_it_and_the_sender_saw_a_time_out) {
  GatedKafka kafka;
  const auto publisher = kafka.open_publisher();
  ASSERT_EQ(kafka.publish(*publisher, "a/t/1"), PublishResult::acked);
  kafka.gate.break_at(kAnswer, GateEnd::black_hole);
  EXPECT_EQ(kafka.publish(*publisher, "a/t/2"), PublishResult::unknown);
  ASSERT_TRUE(kafka.gate.has_acted());
  EXPECT_EQ(kafka.publish_until_acked(*publisher, "a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(kafka.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

TEST(KafkaLostAnswer, B1_the_broker_never_got_it) {
  GatedKafka kafka;
  const auto publisher = kafka.open_publisher();
  ASSERT_EQ(kafka.publish(*publisher, "a/t/1"), PublishResult::acked);
  kafka.gate.break_at(kPublish, GateEnd::black_hole);
  EXPECT_EQ(kafka.publish(*publisher, "a/t/2"), PublishResult::unknown);
  ASSERT_TRUE(kafka.gate.has_acted());
  EXPECT_EQ(kafka.publish_until_acked(*publisher, "a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(kafka.stored(), (std::vector<std::string>{"a/t/1", "a/t/2"}));
}

TEST(KafkaLostAnswer, B2_an_idempotent_producer_that_is_cut_off_once_learns_the_outcome_itself) {
  GatedKafka kafka;
  const auto publisher = kafka.open_publisher();
  ASSERT_EQ(kafka.publish(*publisher, "a/t/1"), PublishResult::acked);
  for (const GateEnd end : {GateEnd::cut, GateEnd::reset}) {
    kafka.gate.break_at(kAnswer, end);
    EXPECT_EQ(kafka.publish(*publisher, "a/t/2"), PublishResult::acked);
    ASSERT_TRUE(kafka.gate.has_acted());
  }
  EXPECT_EQ(kafka.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

TEST(KafkaLostAnswer, B2_it_is_in_doubt_when_it_is_cut_off_each_time) {
  GatedKafka kafka;
  const auto publisher = kafka.open_publisher();
  ASSERT_EQ(kafka.publish(*publisher, "a/t/1"), PublishResult::acked);
  kafka.gate.break_at({GateSender::server, GateKind::publish, 1, true}, GateEnd::cut);
  EXPECT_EQ(kafka.publish(*publisher, "a/t/2"), PublishResult::unknown);
  kafka.gate.heal();
  EXPECT_EQ(kafka.publish_until_acked(*publisher, "a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(kafka.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

// Breaks at the nth message of one side, for each n that a connection comes to; each time three
// messages must arrive, under their ids. Answers how many were broken at.
std::size_t break_at_each(GateSender from, GateEnd end) {
  GatedKafka kafka;
  const std::vector<std::string> ids = {"a/t/1", "a/t/2", "a/t/3"};
  std::size_t attempts = 0;
  std::size_t n = 0;
  do {
    kafka.gate.break_at({from, GateKind::any, ++n}, end);
    const auto publisher = kafka.open_publisher();
    for (const std::string& id : ids) {
      const auto outcomes = kafka.publish_until_acked(*publisher, id);
      attempts += outcomes.size();
      EXPECT_EQ(outcomes.back(), PublishResult::acked) << "at message " << n;
      for (const PublishResult result : outcomes) {
        EXPECT_TRUE(result == PublishResult::acked || result == PublishResult::unknown ||
                    result == PublishResult::unreachable)
            << to_string(result) << " at message " << n;
      }
    }
  } while (kafka.gate.has_acted());
  const auto stored = kafka.stored();
  EXPECT_EQ(std::set(stored.begin(), stored.end()), std::set(ids.begin(), ids.end()));
  EXPECT_GE(stored.size(), n * ids.size()) << "an acknowledged message is not there";
  EXPECT_LE(stored.size(), attempts);
  return n - 1;
}

TEST(KafkaLostAnswer, B1_B2_at_every_message_of_a_connection_in_both_directions) {
  std::vector<std::future<std::size_t>> runs;
  for (const GateSender from : {GateSender::client, GateSender::server}) {
    for (const GateEnd end : {GateEnd::cut, GateEnd::reset, GateEnd::black_hole}) {
      runs.push_back(std::async(std::launch::async, break_at_each, from, end));
    }
  }
  // A greeting, metadata, an id for the producer, three messages.
  for (auto& run : runs) EXPECT_GE(run.get(), 6U);
}

}  // namespace
}  // namespace waybill::testing
