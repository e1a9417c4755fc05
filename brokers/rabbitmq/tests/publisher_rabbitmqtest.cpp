#include "publisher.hpp"

#include <gtest/gtest.h>

#include <map>

#include "rabbitmq_fixture.hpp"
#include "raw_client.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

Steady now() {
  return std::chrono::steady_clock::now();
}

// Publishes all and waits for every outcome.
void publish_all(Publisher& publisher, std::span<const Outgoing> messages, OutcomeBook& book) {
  std::size_t submitted = 0;
  const Steady until = now() + seconds(20);
  while (book.count < messages.size() && now() < until) {
    submitted += publisher.submit(messages.subspan(submitted));
    publisher.poll(until, book);
  }
}

TEST(RabbitmqPublisher, C4_a_message_that_comes_back_is_down_although_it_is_acked_too) {
  RabbitmqFixture rabbitmq;
  const auto publisher = rabbitmq.open_publisher();
  const std::string exchange = rabbitmq.destination();
  const std::string nowhere = random_name("nowhere");
  std::vector<Outgoing> messages;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    messages.push_back(message(i, i % 7 == 3 ? nowhere : exchange, "a/t/1", std::string(), "k"));
  }
  OutcomeBook book;
  publish_all(*publisher, messages, book);
  ASSERT_EQ(book.outcomes.size(), messages.size());
  for (std::uint64_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(book.outcomes[i],
              std::vector{i % 7 == 3 ? PublishResult::destination_down : PublishResult::acked});
  }
}

TEST(RabbitmqPublisher, C4_names_that_cannot_be_are_destination_down) {
  RabbitmqFixture rabbitmq;
  const auto publisher = rabbitmq.open_publisher();
  const std::string long_name(256, 'x');
  for (const std::string& name :
       {std::string(), std::string("/"), long_name, long_name + "/k", "exchange/" + long_name}) {
    const Answer answer = publish_one(*publisher, message(1, name, "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::destination_down) << name << answer.reason;
  }
  const Answer nobody = publish_one(*publisher, message(2, "amq.topic/nobody", "a/t/2"));
  EXPECT_EQ(nobody.result, PublishResult::destination_down);
  EXPECT_EQ(nobody.reason,
            "no queue takes it from exchange 'amq.topic' by the routing key 'nobody': NO_ROUTE");
}

TEST(RabbitmqPublisher, C4_an_exchange_that_goes_stops_its_own_messages_and_comes_back) {
  RabbitmqFixture rabbitmq;
  const auto publisher = rabbitmq.open_publisher();
  const std::string late = random_name("late") + "/";
  rabbitmq.create(late);
  ASSERT_TRUE(heals(*publisher, message(1, late, "a/t/1"), seconds(5)));
  RawClient(rabbitmq.options.url).delete_exchange(late.substr(0, late.size() - 1));
  const std::string exchange = rabbitmq.destination();
  std::vector<Outgoing> messages;
  for (std::uint64_t i = 0; i < 100; ++i) {
    messages.push_back(message(i, i == 50 ? late : exchange, "a/t/2"));
  }
  OutcomeBook book;
  publish_all(*publisher, messages, book);
  ASSERT_EQ(book.outcomes.size(), messages.size());
  for (const auto& [token, results] : book.outcomes) {
    ASSERT_EQ(results.size(), 1U);
    EXPECT_TRUE(results[0] == PublishResult::unknown ||
                results[0] ==
                    (token == 50 ? PublishResult::destination_down : PublishResult::acked))
        << token << to_string(results[0]);
  }
  // Those in doubt are sent again: now alone, which tells whose fault it was.
  OutcomeBook second;
  publish_all(*publisher, messages, second);
  for (const auto& [token, results] : second.outcomes) {
    EXPECT_EQ(results,
              std::vector{token == 50 ? PublishResult::destination_down : PublishResult::acked});
  }
  rabbitmq.create(late);
  EXPECT_TRUE(heals(*publisher, message(1, late, "a/t/3"), seconds(5)));
}

TEST(RabbitmqPublisher, A3_a_queue_that_is_full_throttles_and_refuses_no_message_for_good) {
  RabbitmqFixture rabbitmq;
  RawClient client(rabbitmq.options.url);
  const std::string queue = random_name("full");
  client.declare_queue(queue, {{"x-max-length", "1"}, {"x-overflow", "reject-publish"}});
  const auto publisher = rabbitmq.open_publisher();
  Answer answer;
  for (std::uint64_t i = 0; i < 10 && answer.result != PublishResult::throttled; ++i) {
    answer = publish_one(*publisher, message(i, queue, "a/t/1"));
  }
  EXPECT_EQ(answer.result, PublishResult::throttled) << answer.reason;
  while (client.get(queue)) continue;
  EXPECT_TRUE(heals(*publisher, message(1, queue, "a/t/1"), seconds(5)));
  client.delete_queue(queue);
}

TEST(RabbitmqPublisher, L3_a_server_that_is_not_there_is_unreachable_and_the_reason_says_why) {
  rabbitmq::Options options;
  const std::map<std::string, std::string> urls = {{"amqp://127.0.0.1:1", "refused"},
                                                   {"amqp://no-such-host.invalid", "resolve"}};
  for (const auto& [url, reason] : urls) {
    options.url = url;
    const auto publisher = rabbitmq::open_publisher(options);
    ASSERT_TRUE(publisher.ok()) << publisher.error().to_string();
    const Answer answer = publish_one(**publisher, message(1, "orders", "a/t/1"));
    EXPECT_EQ(answer.result, PublishResult::unreachable) << answer.reason;
    EXPECT_NE(answer.reason.find(reason), std::string::npos) << answer.reason;
  }
}

TEST(RabbitmqPublisher, C4_a_virtual_host_that_is_not_there_is_destination_down) {
  rabbitmq::Options options;
  options.url = shared_rabbitmq().url() + "no-such-vhost";
  const auto publisher = rabbitmq::open_publisher(options);
  ASSERT_TRUE(publisher.ok());
  const Answer answer = publish_one(**publisher, message(1, "orders", "a/t/1"));
  EXPECT_EQ(answer.result, PublishResult::destination_down) << answer.reason;
  EXPECT_NE(answer.reason.find("no-such-vhost"), std::string::npos) << answer.reason;
}

TEST(RabbitmqPublisher, L4_headers_that_fit_no_frame_are_rejected) {
  RabbitmqFixture rabbitmq;
  const auto publisher = rabbitmq.open_publisher();
  const std::string exchange = rabbitmq.destination();
  const std::string key(200'000, 'k');
  EXPECT_EQ(publish_one(*publisher, message(1, exchange, "a/t/1", "b", key)).result,
            PublishResult::rejected);
  EXPECT_EQ(publish_one(*publisher, message(2, exchange, "a/t/2", "b", "k")).result,
            PublishResult::acked);
}

TEST(RabbitmqPublisher, L4_the_server_limit_is_learnt_and_costs_no_other_message) {
  const std::string configuration = "/var/tmp/" + random_name("waybill-limit");
  run("echo max_message_size = 100000 >" + configuration);
  const Server server = own_rabbitmq(configuration);
  run("rm " + configuration);
  RabbitmqFixture rabbitmq(server.url());
  const auto publisher = rabbitmq.open_publisher();
  const std::string exchange = rabbitmq.destination();
  const std::string small(1000, 's');
  const std::string large(100'001, 'l');
  ASSERT_EQ(publish_one(*publisher, message(1, exchange, "a/t/1", small)).result,
            PublishResult::acked);
  std::vector<Outgoing> messages;
  for (std::uint64_t i = 0; i < 100; ++i) {
    messages.push_back(message(i, exchange, "a/t/2", i == 50 ? large : small));
  }
  OutcomeBook first;
  publish_all(*publisher, messages, first);
  EXPECT_EQ(publisher->traits().body_bytes_max, 100'000U);
  OutcomeBook second;
  publish_all(*publisher, messages, second);
  for (const auto& [token, results] : second.outcomes) {
    EXPECT_EQ(results, std::vector{token == 50 ? PublishResult::rejected : PublishResult::acked});
  }
}

TEST(RabbitmqPublisher, A3_a_server_short_of_disk_throttles_what_did_not_leave_and_goes_on) {
  const Server server = own_rabbitmq();
  RabbitmqFixture rabbitmq(server.url());
  rabbitmq.options.publish_timeout = seconds(2);
  const auto publisher = rabbitmq.open_publisher();
  const std::string exchange = rabbitmq.destination();
  ASSERT_EQ(publish_one(*publisher, message(1, exchange, "a/t/1")).result, PublishResult::acked);
  server.control("set_disk_free_limit 1000000000000000");
  // The alarm is told to a connection that publishes; what was sent by then stays without an
  // answer.
  Answer answer;
  const Steady until = now() + seconds(20);
  while (answer.result != PublishResult::throttled && now() < until) {
    answer = publish_one(*publisher, message(2, exchange, "a/t/2"));
    ASSERT_NE(answer.result, PublishResult::rejected) << answer.reason;
    ASSERT_NE(answer.result, PublishResult::destination_down) << answer.reason;
  }
  EXPECT_EQ(answer.result, PublishResult::throttled) << answer.reason;
  EXPECT_LT(publish_one(*publisher, message(3, exchange, "a/t/3")).took, seconds(1));
  server.control("set_disk_free_limit 1MB");
  EXPECT_TRUE(heals(*publisher, message(4, exchange, "a/t/2"), seconds(30)));
}

// Opens a channel, and asks for nothing.
class Onlooker final : public rabbitmq::ChannelUser {
 public:
  void on_channel_open() override {}
  void on_frame(const amqp_frame_t& /*frame*/) override {}
  bool on_channel_closed(std::uint16_t /*code*/, const std::string& /*text*/) override {
    return false;
  }
};

TEST(RabbitmqConnection, an_idle_one_lives_as_long_as_it_is_pumped) {
  const auto address = rabbitmq::parse_url(shared_rabbitmq().url());
  ASSERT_TRUE(address.ok());
  rabbitmq::Connection connection(*address, nullptr, true, seconds(10), seconds(1), "test");
  rabbitmq::Waker waker;
  Onlooker onlooker;
  connection.open();
  const Steady until = now() + Millis(4500);  // the server gives up after 2 to 3 s of silence
  while (now() < until) {
    connection.work(onlooker);
    connection.wait(until, waker);
  }
  EXPECT_EQ(connection.state(), rabbitmq::Connection::State::open) << connection.lost().reason;
  connection.close(now() + seconds(5), waker, onlooker);
}

}  // namespace
}  // namespace waybill::testing
