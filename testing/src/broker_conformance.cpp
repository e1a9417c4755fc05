#include "waybill/testing/broker_conformance.hpp"

#include <algorithm>
#include <set>
#include <thread>

#include "waybill/testing/broker_driver.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::size_t kBodyToTestMax = std::size_t{64} << 20;
const DatabaseTime kSentAt(std::chrono::microseconds(1'764'000'000'123'456));

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

std::vector<std::string> ids_of(const std::vector<Delivery>& deliveries) {
  std::vector<std::string> ids;
  for (const Delivery& delivery : deliveries) ids.push_back(delivery.message_id);
  return ids;
}

void BrokerConformance::SetUp() {
  broker_ = GetParam().make();
  destination_ = broker_->destination();
  publisher_ = broker_->open_publisher();
}

std::vector<BrokerConformance::Sent> BrokerConformance::messages(std::size_t count,
                                                                 const std::string& prefix,
                                                                 std::size_t keys) {
  std::vector<Sent> sent;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    sent.push_back(
        {prefix + "/t/" + number, "k" + std::to_string(i % keys), "body of " + prefix + number});
  }
  return sent;
}

std::vector<Outgoing> BrokerConformance::outgoing(const std::vector<Sent>& sent,
                                                  std::uint64_t first_token) const {
  std::vector<Outgoing> messages;
  for (const Sent& one : sent) {
    Outgoing message;
    message.token = first_token++;
    message.destination = destination_;
    message.message_id = one.id;
    message.message_type = "t";
    message.key = one.key;
    message.body = one.body;
    message.sent_at = kSentAt;
    messages.push_back(message);
  }
  return messages;
}

void BrokerConformance::publish(const std::vector<Sent>& sent, std::size_t window) {
  const auto messages = outgoing(sent);
  OutcomeBook book;
  std::size_t submitted = 0;
  const Steady until = now() + kPatience;
  while (book.count < messages.size() && now() < until) {
    const std::size_t free = window - (submitted - book.count);
    const std::size_t more = std::min(free, messages.size() - submitted);
    submitted += publisher_->submit(std::span(messages).subspan(submitted, more));
    publisher_->poll(until, book);
  }
  ASSERT_EQ(book.outcomes.size(), messages.size());
  for (const auto& [token, results] : book.outcomes) {
    ASSERT_EQ(results, std::vector{PublishResult::acked}) << "token " << token;
  }
}

std::vector<Delivery> BrokerConformance::take(Subscriber& subscriber, std::size_t count,
                                              Millis wait) {
  std::vector<Delivery> deliveries;
  const Steady until = now() + wait;
  while (deliveries.size() < count && now() < until) {
    must(subscriber.receive(until, count - deliveries.size(), deliveries));
  }
  return deliveries;
}

void BrokerConformance::settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries,
                               Settle how) {
  std::vector<std::uint64_t> tokens;
  for (const Delivery& delivery : deliveries) tokens.push_back(delivery.token);
  must(subscriber.settle(tokens, how));
}

TEST_P(BrokerConformance, A6_gives_exactly_one_outcome_per_message_in_every_window) {
  const auto subscriber = broker_->open_subscriber("points", "a");
  std::set<std::string> expected;
  for (const std::size_t window : {1U, 64U, 1000U}) {
    const auto sent = messages(window == 1 ? 40 : 2500, "w" + std::to_string(window));
    for (const Sent& one : sent) expected.insert(one.id);
    publish(sent, std::min<std::size_t>(window, publisher_->traits().window_max));
    if (HasFatalFailure()) return;
  }
  std::set<std::string> received;
  const Steady until = now() + kPatience;
  while (received.size() < expected.size() && now() < until) {
    std::vector<Delivery> deliveries;
    must(subscriber->receive(until, 1000, deliveries));
    for (const Delivery& delivery : deliveries) received.insert(delivery.message_id);
    settle(*subscriber, deliveries, Settle::ack);
  }
  EXPECT_EQ(received, expected);
}

TEST_P(BrokerConformance, K1_keeps_the_order_of_a_key_inside_a_window_without_failures) {
  if (!features().order_per_key) GTEST_SKIP() << "not declared";
  const auto subscriber = broker_->open_subscriber("points", "a");
  const auto sent = messages(5000, "o", 17);
  std::map<std::string, std::vector<std::string>> expected;
  for (const Sent& one : sent) expected[one.key].push_back(one.id);
  publish(sent, std::min<std::size_t>(1000, publisher_->traits().window_max));
  std::map<std::string, std::vector<std::string>> received;
  std::size_t count = 0;
  while (count < sent.size()) {
    const auto deliveries = take(*subscriber, std::min<std::size_t>(100, sent.size() - count));
    ASSERT_FALSE(deliveries.empty()) << count << " of " << sent.size();
    for (const Delivery& delivery : deliveries) {
      received[delivery.key].push_back(delivery.message_id);
    }
    count += deliveries.size();
    settle(*subscriber, deliveries, Settle::ack);
  }
  EXPECT_EQ(received, expected);
}

TEST_P(BrokerConformance, A6_carries_body_and_headers_unchanged) {
  const auto subscriber = broker_->open_subscriber("points", "a");
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  const std::vector<Sent> sent = {{"b/t/1", "", ""},
                                  {"b/t/2", "key with \"quotes\"", every_byte},
                                  {"b/t/%E4%BD%A0", "", "\xF0\x9F\x8E\x81 gift"},
                                  {"b/t/4", "", std::string(100'000, '\0')}};
  auto copies = outgoing(sent);
  copies[1].traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  copies[1].epoch = 2'147'483'647U;  // an inbox keeps it in a 32-bit integer with a sign
  OutcomeBook book;
  ASSERT_EQ(publisher_->submit(copies), copies.size());
  const Steady until = now() + kPatience;
  while (book.count < copies.size() && now() < until) publisher_->poll(until, book);
  std::map<std::string, Delivery> received;
  for (Delivery& delivery : take(*subscriber, copies.size())) {
    received[delivery.message_id] = std::move(delivery);
  }
  ASSERT_EQ(received.size(), copies.size());
  for (const Outgoing& message : copies) {
    const Delivery& delivery = received.at(std::string(message.message_id));
    EXPECT_EQ(delivery.message_type, message.message_type);
    EXPECT_EQ(delivery.key, message.key);
    EXPECT_TRUE(delivery.body == message.body) << message.message_id;
    EXPECT_EQ(delivery.traceparent, message.traceparent);
    EXPECT_EQ(delivery.epoch, message.epoch);
    EXPECT_EQ(delivery.sent_at, message.sent_at);
  }
}

TEST_P(BrokerConformance, A6_accepts_a_prefix_and_nothing_while_the_window_is_full) {
  const std::size_t window_max = publisher_->traits().window_max;
  const auto sent = messages(window_max + 10, "f");
  const auto copies = outgoing(sent);
  const std::size_t accepted = publisher_->submit(copies);
  EXPECT_GT(accepted, 0U);
  EXPECT_LE(accepted, window_max);
  const std::span rest = std::span(copies).subspan(accepted);
  EXPECT_EQ(publisher_->submit(rest), 0U);
  OutcomeBook book;
  const Steady until = now() + kPatience;
  while (book.count == 0 && now() < until) publisher_->poll(until, book);
  EXPECT_GT(publisher_->submit(rest), 0U);
  publisher_->close(now() + kPatience, book);
}

TEST_P(BrokerConformance, A6_rejects_a_body_that_is_too_large_and_nothing_else) {
  const std::size_t body_bytes_max = publisher_->traits().body_bytes_max;
  if (body_bytes_max > kBodyToTestMax) GTEST_SKIP() << "the limit is too large to try";
  auto sent = messages(3, "l");
  sent[1].body.assign(body_bytes_max + 1, 'x');
  sent[2].body.assign(body_bytes_max, 'y');
  OutcomeBook book;
  ASSERT_EQ(publisher_->submit(outgoing(sent)), 3U);
  const Steady until = now() + kPatience;
  while (book.count < 3 && now() < until) publisher_->poll(until, book);
  EXPECT_EQ(book.outcomes[1], std::vector{PublishResult::acked});
  EXPECT_EQ(book.outcomes[2], std::vector{PublishResult::rejected});
  EXPECT_EQ(book.outcomes[3], std::vector{PublishResult::acked});
}

TEST_P(BrokerConformance, A6_rejects_ids_that_no_consumer_could_keep) {
  const std::string too_long(769, 'i');
  for (const std::string& id : {std::string(), too_long}) {
    EXPECT_EQ(publish_one(*publisher_, message(1, destination_, id)).result,
              PublishResult::rejected);
  }
}

TEST_P(BrokerConformance, C4_what_leads_nowhere_is_destination_down_and_goes_on_once_it_exists) {
  const auto missing = broker_->missing_destinations();
  if (missing.empty()) GTEST_SKIP() << "not declared";
  for (const std::string& destination : missing) {
    for (std::uint64_t i = 0; i < 2; ++i) {
      const Answer lost = publish_one(*publisher_, message(i, destination, "a/t/1", "b", "k"));
      EXPECT_EQ(lost.result, PublishResult::destination_down) << destination << lost.reason;
      EXPECT_LT(lost.took, Millis(5000)) << destination;
    }
    const Answer other = publish_one(*publisher_, message(3, destination_, "a/t/2"));
    EXPECT_EQ(other.result, PublishResult::acked) << "slowed by " << destination << other.reason;
    broker_->create(destination);
    EXPECT_TRUE(heals(*publisher_, message(4, destination, "a/t/1", "b", "k"), kPatience))
        << destination;
  }
}

TEST_P(BrokerConformance, C4_refused_credentials_are_destination_down_and_stay_secret) {
  const auto publisher = broker_->open_refused_publisher();
  if (!publisher) GTEST_SKIP() << "not declared";
  const Answer refused = publish_one(*publisher, message(1, destination_, "a/t/1"));
  EXPECT_EQ(refused.result, PublishResult::destination_down) << refused.reason;
  EXPECT_FALSE(refused.reason.empty());
  EXPECT_EQ(refused.reason.find("wrong-secret"), std::string::npos) << refused.reason;
}

TEST_P(BrokerConformance, A6_wake_ends_a_poll_that_runs_or_comes_next) {
  OutcomeBook book;
  const Steady started = now();
  publisher_->wake();
  publisher_->poll(started + kPatience, book);
  std::thread waker([&] { publisher_->wake(); });
  publisher_->poll(started + kPatience, book);
  waker.join();
  EXPECT_LT(now() - started, kPatience);
  EXPECT_EQ(book.count, 0U);
}

TEST_P(BrokerConformance, A6_wake_ends_a_receive_that_runs_or_comes_next) {
  const auto subscriber = broker_->open_subscriber("points", "a");
  std::vector<Delivery> out;
  const Steady started = now();
  subscriber->wake();
  must(subscriber->receive(started + kPatience, 1, out));
  std::thread waker([&] { subscriber->wake(); });
  must(subscriber->receive(started + kPatience, 1, out));
  waker.join();
  EXPECT_LT(now() - started, kPatience);
  EXPECT_TRUE(out.empty());
}

TEST_P(BrokerConformance, A6_close_gives_every_message_in_flight_its_one_outcome) {
  for (const auto left : {Millis(0), std::chrono::duration_cast<Millis>(kPatience)}) {
    publisher_ = broker_->open_publisher();
    const auto sent = messages(100, "c");
    OutcomeBook book;
    const std::size_t accepted = publisher_->submit(outgoing(sent));
    publisher_->close(now() + left, book);
    EXPECT_EQ(book.outcomes.size(), accepted);
    for (const auto& [token, results] : book.outcomes) {
      EXPECT_EQ(results.size(), 1U);
      EXPECT_TRUE(results[0] == PublishResult::acked || results[0] == PublishResult::unknown);
      if (left > Millis(0)) {
        EXPECT_EQ(results[0], PublishResult::acked);
      }
    }
    EXPECT_EQ(publisher_->submit(outgoing(sent)), 0U) << "nothing goes out after close()";
  }
}

TEST_P(BrokerConformance, A6_delivers_again_what_a_dead_subscriber_left_unsettled) {
  auto victim = broker_->open_subscriber("points", "a");
  const auto sent = messages(20, "d");
  publish(sent);
  const auto first = take(*victim, sent.size());
  ASSERT_EQ(first.size(), sent.size());
  const std::vector<Delivery> acked(first.begin(), first.begin() + 5);
  settle(*victim, acked, Settle::ack);
  broker_->crash(std::move(victim));

  const auto heir = broker_->open_subscriber("points", "b");
  std::set<std::string> expected;
  for (const Sent& one : sent) expected.insert(one.id);
  std::set<std::string> seen;
  for (const Delivery& delivery : acked) seen.insert(delivery.message_id);
  const Steady until = now() + features().takeover_max;
  while (seen.size() < expected.size() && now() < until) {
    const auto deliveries = take(*heir, 1, features().takeover_max);
    for (const Delivery& delivery : deliveries) seen.insert(delivery.message_id);
    settle(*heir, deliveries, Settle::ack);
  }
  EXPECT_EQ(seen, expected);
}

TEST_P(BrokerConformance, A6_does_not_deliver_again_what_was_acked) {
  auto subscriber = broker_->open_subscriber("points", "a");
  publish(messages(50, "n"));
  settle(*subscriber, take(*subscriber, 50), Settle::ack);
  subscriber.reset();
  subscriber = broker_->open_subscriber("points", "b");
  publish(messages(1, "last"));
  EXPECT_EQ(ids_of(take(*subscriber, 1)), std::vector<std::string>{"last/t/0"});
}

TEST_P(BrokerConformance, A6_delivers_again_what_was_settled_with_again) {
  const auto subscriber = broker_->open_subscriber("points", "a");
  publish(messages(3, "g", 1));
  const auto first = take(*subscriber, 3);
  ASSERT_EQ(first.size(), 3U);
  settle(*subscriber, first, Settle::again);
  const auto second = take(*subscriber, 3);
  ASSERT_EQ(second.size(), 3U);
  auto ids = ids_of(second);
  auto ids_before = ids_of(first);
  if (!features().order_per_key) {
    std::sort(ids.begin(), ids.end());
    std::sort(ids_before.begin(), ids_before.end());
  }
  EXPECT_EQ(ids, ids_before);
  settle(*subscriber, second, Settle::ack);
  EXPECT_TRUE(take(*subscriber, 1, Millis(100)).empty());
}

TEST_P(BrokerConformance, A6_ignores_tokens_that_it_does_not_know) {
  const auto subscriber = broker_->open_subscriber("points", "a");
  publish(messages(1, "u"));
  const auto delivered = take(*subscriber, 1);
  ASSERT_EQ(delivered.size(), 1U);
  const std::uint64_t unknown[] = {delivered[0].token + 1000, 0};
  EXPECT_TRUE(subscriber->settle(unknown, Settle::ack).ok());
  settle(*subscriber, delivered, Settle::ack);
  settle(*subscriber, delivered, Settle::ack);
  settle(*subscriber, delivered, Settle::again);
  EXPECT_TRUE(take(*subscriber, 1, Millis(200)).empty());
}

TEST_P(BrokerConformance, A6_members_of_a_group_share_its_messages) {
  const auto a = broker_->open_subscriber("points", "a");
  const auto b = broker_->open_subscriber("points", "b");
  std::set<std::string> expected;
  std::set<std::string> seen;
  std::size_t deliveries_of_a = 0;
  std::size_t deliveries_of_b = 0;
  const auto work = [&](Subscriber& member, std::size_t& counted) {
    std::vector<Delivery> deliveries;
    must(member.receive(now() + Millis(5), 100, deliveries));
    for (const Delivery& delivery : deliveries) seen.insert(delivery.message_id);
    counted += deliveries.size();
    settle(member, deliveries, Settle::ack);
  };
  const Steady until = now() + kPatience + features().takeover_max;
  for (int round = 0; now() < until; ++round) {
    const bool both = deliveries_of_a > 0 && deliveries_of_b > 0;
    if (both && seen == expected) break;
    if (!both) {
      const auto sent = messages(32, "s" + std::to_string(round), 32);
      publish(sent);
      for (const Sent& one : sent) expected.insert(one.id);
    }
    work(*a, deliveries_of_a);
    work(*b, deliveries_of_b);
  }
  EXPECT_GT(deliveries_of_a, 0U);
  EXPECT_GT(deliveries_of_b, 0U);
  EXPECT_EQ(seen, expected);
}

TEST_P(BrokerConformance, A6_every_group_gets_every_message) {
  const auto points = broker_->open_subscriber("points", "a");
  const auto mail = broker_->open_subscriber("mail", "a");
  const auto sent = messages(40, "e");
  publish(sent);
  for (Subscriber* subscriber : {points.get(), mail.get()}) {
    const auto deliveries = take(*subscriber, sent.size());
    const auto ids = ids_of(deliveries);
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), sent.size());
    settle(*subscriber, deliveries, Settle::ack);
  }
}

TEST_P(BrokerConformance, A6_a_new_group_begins_with_the_oldest_message) {
  if (!features().keeps_history) GTEST_SKIP() << "not declared";
  publish(messages(10, "h"));
  const auto late = broker_->open_subscriber("late", "a");
  EXPECT_EQ(take(*late, 10).size(), 10U);
}

TEST_P(BrokerConformance, A6_keeps_every_copy_of_one_id) {
  if (!features().keeps_copies) GTEST_SKIP() << "not declared";
  const auto subscriber = broker_->open_subscriber("points", "a");
  const Sent sent = messages(1, "x")[0];
  publish({sent, sent});
  publish({sent});
  const auto deliveries = take(*subscriber, 3);
  EXPECT_EQ(ids_of(deliveries), std::vector<std::string>(3, sent.id));
}

}  // namespace waybill::testing
