#include <gtest/gtest.h>

#include <set>

#include "rabbitmq_fixture.hpp"
#include "raw_client.hpp"
#include "waybill/message_id.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

Steady now() {
  return std::chrono::steady_clock::now();
}

TEST(RabbitmqSubscriber, C4_an_unknown_queue_is_told_and_works_once_it_exists) {
  RabbitmqFixture rabbitmq;
  const std::string late = random_name("late");
  auto subscriber = rabbitmq::open_subscriber(rabbitmq.options, {late, "a"});
  ASSERT_TRUE(subscriber.ok());
  std::vector<Delivery> out;
  for (int i = 0; i < 2; ++i) {
    Status told;
    const Steady until = now() + seconds(10);
    while (told.ok() && now() < until) told = (*subscriber)->receive(until, 1, out);
    ASSERT_FALSE(told.ok());
    EXPECT_EQ(told.error().remedy, Remedy::fix_call);
    EXPECT_NE(told.error().text.find(late), std::string::npos) << told.error().text;
  }
  rabbitmq.create(late);
  publish_many(*rabbitmq.open_publisher(), late, 1, "a");
  const Steady until = now() + seconds(10);
  while (out.empty() && now() < until) static_cast<void>((*subscriber)->receive(until, 1, out));
  EXPECT_EQ(out.size(), 1U);
}

TEST(RabbitmqSubscriber, C4_refused_credentials_are_told) {
  RabbitmqFixture rabbitmq;
  rabbitmq::Options refused = rabbitmq.options;
  refused.url.replace(refused.url.find("guest:guest"), 11, "guest:wrong-secret");
  auto subscriber = rabbitmq::open_subscriber(refused, {rabbitmq.queue_of("points"), "a"});
  ASSERT_TRUE(subscriber.ok());
  std::vector<Delivery> out;
  const Status told = (*subscriber)->receive(now() + seconds(10), 1, out);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().remedy, Remedy::fix_call) << told.error().to_string();
  EXPECT_EQ(told.error().to_string().find("wrong-secret"), std::string::npos);
}

TEST(RabbitmqSubscriber, K1_what_comes_again_comes_before_what_is_behind_it) {
  RabbitmqFixture rabbitmq;
  publish_many(*rabbitmq.open_publisher(), rabbitmq.destination(), 5, "a", 1);
  const auto subscriber = rabbitmq.open_subscriber("points", "a");
  const auto first = receive(*subscriber, 3);
  ASSERT_EQ(first.size(), 3U);
  settle(*subscriber, {first[1]}, Settle::again);
  settle(*subscriber, {first[0], first[2]});
  EXPECT_EQ(ids_of(receive(*subscriber, 3)), (std::vector<std::string>{"a/t/1", "a/t/3", "a/t/4"}));
}

TEST(RabbitmqSubscriber, holds_no_more_than_its_limits_until_something_is_settled) {
  RabbitmqFixture rabbitmq;
  const auto publisher = rabbitmq.open_publisher();
  publish_many(*publisher, rabbitmq.destination(), 20, "a", 1);
  rabbitmq.options.unsettled_max = 5;
  auto subscriber = rabbitmq.open_subscriber("points", "a");
  auto batch = receive(*subscriber, 20, Millis(500));
  EXPECT_EQ(batch.size(), 5U);
  settle(*subscriber, {batch[0], batch[1]});
  EXPECT_EQ(receive(*subscriber, 20, Millis(500)).size(), 2U);
  subscriber.reset();
  // By bytes: what is held is over by what one read brought at most.
  const std::string body(std::size_t{256} << 10, 'b');
  const std::string exchange = rabbitmq.destination();
  for (std::uint64_t i = 0; i < 40; ++i) {
    ASSERT_EQ(publish_one(*publisher, message(i, exchange, "b/t/1", body)).result,
              PublishResult::acked);
  }
  rabbitmq.options.unsettled_max = 1000;
  rabbitmq.options.unsettled_bytes_max = std::size_t{1} << 20;
  subscriber = rabbitmq.open_subscriber("points", "a");
  batch = receive(*subscriber, 100, Millis(500));
  EXPECT_GE(batch.size(), 4U);
  EXPECT_LT(batch.size(), 30U);
  std::size_t taken = batch.size();
  const Steady until = now() + seconds(20);
  while (taken < 58 && now() < until) {
    settle(*subscriber, batch);
    batch = receive(*subscriber, 1, seconds(5));
    taken += batch.size();
  }
  EXPECT_EQ(taken, 58U);
}

TEST(RabbitmqSubscriber, tokens_of_a_lost_connection_are_ignored) {
  RabbitmqFixture rabbitmq;
  const auto publisher = rabbitmq.open_publisher();
  publish_many(*publisher, rabbitmq.destination(), 3, "old");
  auto subscriber = rabbitmq.open_subscriber("points", "a");
  const auto old = receive(*subscriber, 3);
  ASSERT_EQ(old.size(), 3U);
  // A queue that is deleted ends its consumers; the new one begins with the same delivery tags.
  RawClient(rabbitmq.options.url).delete_queue(rabbitmq.queue_of("points"));
  std::vector<Delivery> fresh;
  const Steady until = now() + seconds(20);
  Status told;
  while (told.ok() && now() < until) told = subscriber->receive(until, 1, fresh);
  ASSERT_FALSE(told.ok()) << "that the queue is gone";
  rabbitmq.declare("points");
  publish_many(*publisher, rabbitmq.destination(), 3, "new");
  while (fresh.size() < 3 && now() < until) {
    // That the queue was not there yet may be told once more.
    static_cast<void>(subscriber->receive(now() + seconds(1), 3 - fresh.size(), fresh));
  }
  ASSERT_EQ(fresh.size(), 3U);
  settle(*subscriber, old);
  settle(*subscriber, old, Settle::again);
  EXPECT_TRUE(receive(*subscriber, 1, Millis(200)).empty());
  rabbitmq.crash(std::move(subscriber));
  const auto heir = rabbitmq.open_subscriber("points", "b");
  EXPECT_EQ(receive(*heir, 3).size(), 3U) << "acked by tokens of another connection";
}

TEST(RabbitmqSubscriber, I4_what_was_acked_stays_acked_when_it_leaves_at_once) {
  RabbitmqFixture rabbitmq;
  publish_many(*rabbitmq.open_publisher(), rabbitmq.destination(), 500, "a", 1);
  auto leaver = rabbitmq.open_subscriber("points", "leaver");
  const auto all = receive(*leaver, 500);
  ASSERT_EQ(all.size(), 500U);
  settle(*leaver, {all.begin(), all.begin() + 490});
  leaver.reset();
  const auto heir = rabbitmq.open_subscriber("points", "heir");
  const auto rest = receive(*heir, 10);
  ASSERT_EQ(rest.size(), 10U);
  EXPECT_EQ(rest[0].message_id, "a/t/490");
  EXPECT_TRUE(receive(*heir, 1, Millis(200)).empty());
}

TEST(RabbitmqSubscriber, K1_with_single_active_the_next_member_goes_on_in_order) {
  RabbitmqFixture rabbitmq;
  rabbitmq::Topology topology;
  topology.queue = random_name("single");
  topology.single_active = true;
  ASSERT_TRUE(rabbitmq::apply_topology(rabbitmq.options, topology).ok());
  publish_many(*rabbitmq.open_publisher(), topology.queue, 20, "a", 1);
  auto first = rabbitmq::open_subscriber(rabbitmq.options, {topology.queue, "first"});
  ASSERT_TRUE(first.ok());
  const auto of_first = receive(**first, 10);
  ASSERT_EQ(of_first.size(), 10U);
  auto second = rabbitmq::open_subscriber(rabbitmq.options, {topology.queue, "second"});
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(receive(**second, 1, Millis(300)).empty()) << "stands by";
  settle(**first, {of_first.begin(), of_first.begin() + 5});
  first->reset();
  const auto of_second = receive(**second, 15);
  ASSERT_EQ(of_second.size(), 15U);
  for (std::size_t i = 0; i < of_second.size(); ++i) {
    EXPECT_EQ(of_second[i].message_id, "a/t/" + std::to_string(i + 5));
  }
  RawClient(rabbitmq.options.url).delete_queue(topology.queue);
}

TEST(RabbitmqSubscriber, destroying_it_without_a_server_keeps_its_deadline) {
  rabbitmq::Options options;
  options.url = "amqp://127.0.0.1:1";
  options.close_timeout = Millis(500);
  auto subscriber = rabbitmq::open_subscriber(options, {"orders", "a"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  std::vector<Delivery> out;
  EXPECT_TRUE((*subscriber)->receive(now() + Millis(300), 1, out).ok());
  const Steady started = now();
  subscriber->reset();
  EXPECT_LT(now() - started, seconds(3));
}

TEST(RabbitmqSubscriber, a_server_that_is_not_there_is_told) {
  rabbitmq::Options options;
  options.url = "amqp://127.0.0.1:1";
  auto subscriber = rabbitmq::open_subscriber(options, {"orders", "a"});
  ASSERT_TRUE(subscriber.ok()) << subscriber.error().to_string();
  std::vector<Delivery> out;
  const Steady until = now() + seconds(20);
  const Status told = (*subscriber)->receive(until, 1, out);
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().remedy, Remedy::retry);
  EXPECT_NE(told.error().text.find("refused"), std::string::npos) << told.error().to_string();
}

TEST(RabbitmqSubscriber, a_foreign_message_comes_under_a_name_of_its_own_that_is_no_message_id) {
  RabbitmqFixture rabbitmq;
  const std::string queue = rabbitmq.queue_of("points");
  RawClient client(rabbitmq.options.url);
  client.publish(queue, "plain");
  client.publish(queue, "other");
  const auto subscriber = rabbitmq.open_subscriber("points", "a");
  const auto two = receive(*subscriber, 2);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].body, "plain");
  EXPECT_TRUE(two[0].message_id.starts_with("rabbitmq:" + queue + ":")) << two[0].message_id;
  EXPECT_NE(two[0].message_id, two[1].message_id);
  EXPECT_FALSE(MessageId::parse(two[0].message_id).ok());
  settle(*subscriber, two, Settle::again);
  EXPECT_EQ(ids_of(receive(*subscriber, 2)), ids_of(two)) << "the same name each time";
}

TEST(RabbitmqWire, other_clients_read_cloud_events_in_binary_mode) {
  RabbitmqFixture rabbitmq;
  rabbitmq.options.source = "/shop/orders";
  const std::string exchange = rabbitmq.destination();
  Outgoing outgoing = message(1, exchange, "order/t/7", "the body", "customer 1");
  outgoing.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  outgoing.epoch = 3;
  outgoing.sent_at = DatabaseTime(std::chrono::microseconds(1'764'000'000'123'456));
  const auto publisher = rabbitmq.open_publisher();
  ASSERT_EQ(publish_one(*publisher, outgoing).result, PublishResult::acked);
  RawClient client(rabbitmq.options.url);
  const auto found = client.get(rabbitmq.queue_of("points"));
  ASSERT_TRUE(found.has_value());
  const std::map<std::string, std::string> headers = {
      {"cloudEvents_specversion", "1.0"},
      {"cloudEvents_id", "order/t/7"},
      {"cloudEvents_source", "/shop/orders"},
      {"cloudEvents_type", "t"},
      {"cloudEvents_waybillsent", "2025-11-24T16:00:00.123456Z"},
      {"cloudEvents_waybillepoch", "3"},
      {"cloudEvents_partitionkey", "customer 1"},
      {"cloudEvents_traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
      {"waybillpublish", "1"},
      {"x-delivery-count", "0"},  // a quorum queue's own
  };
  EXPECT_EQ(found->headers, headers);
  EXPECT_EQ(found->body, "the body");
  EXPECT_EQ(found->message_id, "order/t/7");
  EXPECT_EQ(found->delivery_mode, 2);
  const std::string long_id = "a/t/" + std::string(700, 'i');
  ASSERT_EQ(publish_one(*publisher, message(2, exchange, long_id)).result, PublishResult::acked);
  const auto second = client.get(rabbitmq.queue_of("points"));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->headers.at("cloudEvents_id"), long_id);
  EXPECT_EQ(second->message_id, "") << "AMQP holds 255 bytes there";
}

TEST(RabbitmqWire, plain_is_the_body_and_its_id) {
  RabbitmqFixture rabbitmq;
  rabbitmq.options.format = WireFormat::plain;
  const std::string exchange = rabbitmq.destination();
  const auto publisher = rabbitmq.open_publisher();
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(publish_one(*publisher, message(1, exchange, "order/t/7", "body", "k")).result,
              PublishResult::acked);
  }
  const auto found = RawClient(rabbitmq.options.url).get(rabbitmq.queue_of("points"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->headers,
            (std::map<std::string, std::string>{
                {"message_id", "order/t/7"}, {"waybillpublish", "1"}, {"x-delivery-count", "0"}}));
  EXPECT_EQ(found->body, "body");
  const auto delivered = receive(*rabbitmq.open_subscriber("points", "a"), 1);
  ASSERT_EQ(delivered.size(), 1U);
  EXPECT_EQ(delivered[0].message_id, "order/t/7");
}

}  // namespace
}  // namespace waybill::testing
