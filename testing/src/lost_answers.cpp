#include "waybill/testing/lost_answers.hpp"

#include <algorithm>
#include <future>
#include <set>
#include <stdexcept>

#include "waybill/testing/broker_driver.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

constexpr GateMessage kPublish{GateSender::client, GateKind::publish};
constexpr GateMessage kAnswer{GateSender::server, GateKind::publish};
const std::string kLast = "the/last/1";

bool is_in_doubt(PublishResult result) {
  return result == PublishResult::unknown || result == PublishResult::unreachable;
}

}  // namespace

GatedPublisher::GatedPublisher(GatedBroker& broker)
    : broker_(broker), gate("127.0.0.1", broker.port(), broker.protocol()) {
  reconnect();
}

void GatedPublisher::reconnect() {
  publisher_ = broker_.open_publisher(gate.port());
}

PublishResult GatedPublisher::publish(const std::string& id) {
  return publish_one(*publisher_, message(1, broker_.destination(), id)).result;
}

std::vector<PublishResult> GatedPublisher::publish_until_acked(const std::string& id) {
  std::vector<PublishResult> outcomes;
  const Steady until = std::chrono::steady_clock::now() + seconds(30);
  do {
    outcomes.push_back(publish(id));
  } while (outcomes.back() != PublishResult::acked && std::chrono::steady_clock::now() < until);
  return outcomes;
}

std::vector<std::string> GatedPublisher::stored() {
  // Whatever is there comes before this one.
  const auto direct = broker_.open_publisher(broker_.port());
  if (publish_one(*direct, message(1, broker_.destination(), kLast)).result !=
      PublishResult::acked) {
    throw std::runtime_error("the last message is not acked");
  }
  const auto subscriber = broker_.open_subscriber();
  std::vector<std::string> ids;
  while (ids.empty() || ids.back() != kLast) {
    const auto more = receive(*subscriber, 1);
    if (more.empty()) throw std::runtime_error("the last message does not come");
    ids.push_back(more[0].message_id);
    settle(*subscriber, more);
  }
  ids.pop_back();
  return ids;
}

TEST_P(LostAnswers, B2_the_broker_got_it_and_the_sender_saw_a_time_out) {
  const auto broker = GetParam().make();
  GatedPublisher publisher(*broker);
  ASSERT_EQ(publisher.publish("a/t/1"), PublishResult::acked);
  publisher.gate.break_at(kAnswer, GateEnd::black_hole);
  EXPECT_EQ(publisher.publish("a/t/2"), PublishResult::unknown);
  ASSERT_TRUE(publisher.gate.has_acted());
  EXPECT_EQ(publisher.publish_until_acked("a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(publisher.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

TEST_P(LostAnswers, B1_the_broker_never_got_it) {
  const auto broker = GetParam().make();
  GatedPublisher publisher(*broker);
  ASSERT_EQ(publisher.publish("a/t/1"), PublishResult::acked);
  publisher.gate.break_at(kPublish, GateEnd::black_hole);
  EXPECT_TRUE(is_in_doubt(publisher.publish("a/t/2")));
  ASSERT_TRUE(publisher.gate.has_acted());
  EXPECT_EQ(publisher.publish_until_acked("a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(publisher.stored(), (std::vector<std::string>{"a/t/1", "a/t/2"}));
}

TEST_P(LostAnswers, B2_it_is_in_doubt_when_it_is_cut_off_each_time) {
  const auto broker = GetParam().make();
  GatedPublisher publisher(*broker);
  ASSERT_EQ(publisher.publish("a/t/1"), PublishResult::acked);
  publisher.gate.break_at({GateSender::server, GateKind::publish, 1, true}, GateEnd::cut);
  EXPECT_EQ(publisher.publish("a/t/2"), PublishResult::unknown);
  publisher.gate.heal();
  EXPECT_EQ(publisher.publish_until_acked("a/t/2").back(), PublishResult::acked);
  EXPECT_EQ(publisher.stored(), (std::vector<std::string>{"a/t/1", "a/t/2", "a/t/2"}));
}

namespace {

// Breaks at the nth message of one side, for each n that a connection comes to; each time three
// messages must arrive, under their ids. Answers how many were broken at.
std::size_t break_at_each(const GatedBrokerUnderTest& tested, GateSender from, GateEnd end) {
  const auto broker = tested.make();
  GatedPublisher publisher(*broker);
  const std::vector<std::string> ids = {"a/t/1", "a/t/2", "a/t/3"};
  std::size_t attempts = 0;
  std::size_t n = 0;
  do {
    publisher.gate.break_at({from, GateKind::any, ++n}, end);
    publisher.reconnect();
    for (const std::string& id : ids) {
      const auto outcomes = publisher.publish_until_acked(id);
      attempts += outcomes.size();
      EXPECT_EQ(outcomes.back(), PublishResult::acked) << "at message " << n;
      for (const PublishResult result : outcomes) {
        EXPECT_TRUE(result == PublishResult::acked || is_in_doubt(result))
            << to_string(result) << " at message " << n;
      }
    }
  } while (publisher.gate.has_acted());
  const auto stored = publisher.stored();
  EXPECT_EQ(std::set(stored.begin(), stored.end()), std::set(ids.begin(), ids.end()));
  EXPECT_GE(stored.size(), n * ids.size()) << "an acknowledged message is not there";
  EXPECT_LE(stored.size(), attempts);
  return n - 1;
}

}  // namespace

TEST_P(LostAnswers, B1_B2_at_every_message_of_a_connection_in_both_directions) {
  std::vector<std::future<std::size_t>> runs;
  for (const GateSender from : {GateSender::client, GateSender::server}) {
    for (const GateEnd end : {GateEnd::cut, GateEnd::reset, GateEnd::black_hole}) {
      runs.push_back(std::async(std::launch::async, break_at_each, GetParam(), from, end));
    }
  }
  // At least a greeting, what opens the way, and three messages.
  for (auto& run : runs) EXPECT_GE(run.get(), 5U);
}

}  // namespace waybill::testing
