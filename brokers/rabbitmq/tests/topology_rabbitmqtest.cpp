#include <gtest/gtest.h>

#include "rabbitmq_fixture.hpp"
#include "raw_client.hpp"

namespace waybill::testing {
namespace {

// What is wrong, in one line: remedy, text and hint.
std::string told(const Status& status) {
  if (status.ok()) return "ok";
  return std::string(to_string(status.error().remedy)) + ": " + status.error().to_string();
}

void expect_told(const Status& status, Remedy remedy, const std::string& part) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().remedy, remedy) << told(status);
  EXPECT_NE(status.error().text.find(part), std::string::npos) << told(status);
  EXPECT_FALSE(status.error().hint.empty()) << told(status);
}

// Names of its own, gone with the test.
class RabbitmqTopology : public ::testing::Test {
 protected:
  RabbitmqTopology() : client_(shared_rabbitmq().url()) {
    options_.url = shared_rabbitmq().url();
    topology_.exchange = random_name("exchange");
    topology_.queue = random_name("queue");
    topology_.bindings = {"order.*"};
  }
  ~RabbitmqTopology() override {
    client_.delete_queue(topology_.queue);
    client_.delete_exchange(topology_.exchange);
  }

  RawClient client_;
  rabbitmq::Options options_;
  rabbitmq::Topology topology_;
};

TEST_F(RabbitmqTopology, C4_says_what_is_missing_and_creates_it_only_when_asked) {
  rabbitmq::Topology queue_only = topology_;
  queue_only.exchange.clear();
  queue_only.bindings.clear();
  for (int i = 0; i < 2; ++i) {
    expect_told(check_topology(options_, topology_), Remedy::fix_call,
                "exchange '" + topology_.exchange + "' does not exist");
    expect_told(check_topology(options_, queue_only), Remedy::fix_call,
                "queue '" + topology_.queue + "' does not exist");
  }
  for (int i = 0; i < 2; ++i) EXPECT_EQ(told(apply_topology(options_, topology_)), "ok");
  EXPECT_EQ(told(check_topology(options_, topology_)), "ok");
  EXPECT_EQ(told(check_topology(options_, queue_only)), "ok");
}

TEST_F(RabbitmqTopology, bindings_lead_by_message_type) {
  ASSERT_EQ(told(apply_topology(options_, topology_)), "ok");
  auto publisher = rabbitmq::open_publisher(options_);
  ASSERT_TRUE(publisher.ok());
  const std::string destination = topology_.exchange + "/";
  Outgoing bound = message(1, destination, "a/t/1");
  bound.message_type = "order.placed";
  EXPECT_EQ(publish_one(**publisher, bound).result, PublishResult::acked);
  Outgoing unbound = message(2, destination, "a/t/2");
  unbound.message_type = "mail.sent";
  const Answer lost = publish_one(**publisher, unbound);
  EXPECT_EQ(lost.result, PublishResult::destination_down);
  EXPECT_NE(lost.reason.find("no queue"), std::string::npos) << lost.reason;
  const auto found = client_.get(topology_.queue);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->message_id, "a/t/1");
}

TEST_F(RabbitmqTopology, tells_a_queue_that_is_not_replicated_or_not_durable) {
  rabbitmq::Topology topology = topology_;
  topology.exchange.clear();
  topology.bindings.clear();
  client_.declare_queue(topology_.queue, {{"x-queue-type", "classic"}});
  expect_told(check_topology(options_, topology), Remedy::fix_call, "no quorum queue");
  topology.queue_kind = rabbitmq::QueueKind::classic;
  EXPECT_EQ(told(check_topology(options_, topology)), "ok");
  client_.delete_queue(topology_.queue);
  client_.declare_queue(topology_.queue, {}, false);
  expect_told(check_topology(options_, topology), Remedy::fix_call, "not durable");
  client_.delete_queue(topology_.queue);
  client_.declare_queue(topology_.queue, {{"x-queue-type", "quorum"}, {"x-max-length", "1000"}});
  topology.queue_kind = rabbitmq::QueueKind::quorum;
  EXPECT_EQ(told(check_topology(options_, topology)), "ok") << "a limit is its owner's affair";
}

TEST_F(RabbitmqTopology, an_exchange_of_another_type_is_told_and_left_alone) {
  ASSERT_EQ(told(apply_topology(options_, topology_)), "ok");
  rabbitmq::Topology other = topology_;
  other.exchange_type = "fanout";
  expect_told(apply_topology(options_, other), Remedy::fix_call, "'type'");
  EXPECT_EQ(told(apply_topology(options_, topology_)), "ok");
}

TEST_F(RabbitmqTopology, names_are_checked_before_anything_is_asked) {
  rabbitmq::Topology wrong;
  expect_told(apply_topology(options_, wrong), Remedy::fix_call, "neither");
  wrong.exchange = "a/b";
  expect_told(apply_topology(options_, wrong), Remedy::fix_call, "'/'");
  wrong.exchange = std::string(256, 'x');
  expect_told(apply_topology(options_, wrong), Remedy::fix_call, "255");
  wrong = {};
  wrong.queue = "q";
  wrong.bindings = {"k"};
  expect_told(apply_topology(options_, wrong), Remedy::fix_call, "bindings");
}

TEST_F(RabbitmqTopology, a_server_that_is_not_there_is_worth_a_retry_and_a_refused_login_is_not) {
  rabbitmq::Options elsewhere;
  elsewhere.url = "amqp://127.0.0.1:1";
  expect_told(check_topology(elsewhere, topology_), Remedy::retry, "refused");
  rabbitmq::Options stranger = options_;
  stranger.url.replace(stranger.url.find("guest:guest"), 11, "guest:wrong-secret");
  const Status refused = check_topology(stranger, topology_);
  expect_told(refused, Remedy::fix_call, "ACCESS_REFUSED");
  EXPECT_EQ(told(refused).find("wrong-secret"), std::string::npos);
  rabbitmq::Options nowhere = options_;
  nowhere.url += "no-such-vhost";
  expect_told(check_topology(nowhere, topology_), Remedy::fix_call, "no-such-vhost");
}

}  // namespace
}  // namespace waybill::testing
