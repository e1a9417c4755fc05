#include "waybill/confirm/reply_topic.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "shop.hpp"
#include "waybill/brokers/embedded.hpp"
#include "waybill/confirm/batch.hpp"
#include "waybill/confirm/sender.hpp"
#include "waybill/testing/must.hpp"
#include "waybill/testing/scratch_folder.hpp"

namespace waybill::confirm::testing {
namespace {

using waybill::testing::wait_until;

const Key kKey = key_of("points", "points-1");
const Key kOther = key_of("mail", "mail-1");

TEST(Reply, comes_back_as_it_was_signed) {
  const Request request = signed_request("{\"a\":\n\n\"b\"}", kKey);
  const auto parsed = parse_reply(encode_reply(request));
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  EXPECT_EQ(parsed->headers, request.headers);
  EXPECT_EQ(parsed->body, request.body);
  EXPECT_NE(verify(*parsed, ring_of({kKey}), kNow), nullptr);
}

TEST(Reply, is_refused_without_headers_that_end) {
  for (const std::string& body :
       {std::string(), std::string("webhook-id: 1"), std::string("webhook-id: 1\n"),
        std::string("no colon\n\n{}"), "a: " + std::string(5000, 'x') + "\n\n{}",
        std::string("\0\xff", 2)}) {
    EXPECT_FALSE(parse_reply(body).ok()) << body;
  }
  EXPECT_EQ(parse_reply("\n")->body, "");
}

class ReplyTopic : public ::testing::Test {
 protected:
  ReplyTopic() { queue_.path = folder_.file("queue.db"); }

  [[nodiscard]] OpenPublisher publishers() {
    return [this](std::string_view) { return embedded::open_publisher(queue_); };
  }
  [[nodiscard]] Post post() { return post_to_topic(publishers(), {.destination = "replies"}); }
  void start_reader(std::chrono::seconds age_max = std::chrono::days(7)) {
    ReplyReaderOptions options;
    options.age_max = age_max;
    options.retry_wait = Millis(5);
    options.log = [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level == LogLevel::alarm) alarms_.emplace_back(text);
    };
    reader_ = std::make_unique<ReplyReader>(
        endpoint_,
        [this] {
          return embedded::open_subscriber(queue_,
                                           {.topic = "replies", .group = "waybill", .member = "r"});
        },
        options);
    const Status started = reader_->start();
    ASSERT_TRUE(started.ok()) << started.error().to_string();
  }
  void publish(const Request& request) {
    const auto reply = post()(request);
    ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    ASSERT_EQ(reply->status, kPublished);
  }
  [[nodiscard]] std::vector<std::string> alarms() {
    const std::lock_guard lock(mutex_);
    return alarms_;
  }
  [[nodiscard]] std::int64_t unread() {
    const auto topics = embedded::topics(queue_);
    return topics && !topics->empty() && !topics->front().groups.empty()
               ? topics->front().groups.front().lag
               : -1;
  }

  Shop shop_;
  WatchedStore store_{shop_.store()};
  std::mutex mutex_;  // guards the next
  std::vector<std::string> alarms_;
  Endpoint endpoint_{store_,
                     ring_of({kKey, kOther}),
                     {.now = [] { return kNow; },
                      .log =
                          [this](LogLevel level, std::string_view text) {
                            const std::lock_guard lock(mutex_);
                            if (level == LogLevel::alarm) alarms_.emplace_back(text);
                          }}};
  const waybill::testing::ScratchFolder folder_;
  embedded::Options queue_;
  std::unique_ptr<ReplyReader> reader_;
};

TEST_F(ReplyTopic, H1_what_an_inbox_holds_reaches_the_producer_and_is_settled_at_both_ends) {
  for (const char* id : {"1", "2", "3"}) {
    shop_.add(id);
    shop_.consume(id_of(id));
  }
  shop_.add("bad");
  shop_.consume(id_of("bad"), Verdict::failed, "no such account");
  SenderOptions options;
  options.consumer = "points";
  options.key = kKey;
  options.poll_interval = Millis(2);
  options.now = [] { return kNow; };
  Sender sender(shop_.inbox(), post(), options);
  ASSERT_TRUE(sender.start().ok());
  EXPECT_TRUE(wait_until([&] { return sender.stats().confirmed == 4; }))
      << "the broker's answer is enough for the consumer";
  EXPECT_EQ(shop_.count("waybill_inbox WHERE confirmed_at IS NULL"), 0);
  EXPECT_EQ(shop_.state_of("1"), "INIT");
  start_reader();
  EXPECT_TRUE(wait_until([&] { return shop_.state_of("bad") == "DEAD"; }));
  for (const char* id : {"1", "2", "3"}) EXPECT_EQ(shop_.state_of(id), "SUCCESS");
  EXPECT_TRUE(wait_until([&] { return unread() == 0; }));
  EXPECT_EQ(reader_->stats().dropped, 0U);
}

TEST_F(ReplyTopic, H9_what_no_live_key_signed_is_dropped_before_any_look_up) {
  shop_.add("1");
  Request forged = signed_request({item("1")}, kKey);
  forged.body = encode_batch({item("1", "points", Verdict::failed)});
  publish(forged);
  publish(signed_request({item("1")}, key_of("points", "unknown-1")));
  Request unsigned_one;
  unsigned_one.body = encode_batch({item("1")});
  publish(unsigned_one);
  publish(signed_request("no JSON", kKey));
  start_reader();
  EXPECT_TRUE(wait_until([&] { return reader_->stats().dropped == 4; }));
  EXPECT_TRUE(wait_until([&] { return unread() == 0; })) << "they do not come again";
  EXPECT_EQ(endpoint_.stats().unauthorized, 3U);
  EXPECT_EQ(store_.opened, 0);
  EXPECT_EQ(shop_.state_of("1"), "INIT");
  EXPECT_FALSE(alarms().empty());
}

TEST_F(ReplyTopic, H9_a_consumer_cannot_confirm_for_another_though_it_may_write_to_the_topic) {
  shop_.add("1");
  publish(signed_request({item("1")}, kOther));
  start_reader();
  EXPECT_TRUE(wait_until([&] { return endpoint_.stats().not_found == 1; }));
  EXPECT_EQ(shop_.state_of("1"), "INIT");
  ASSERT_EQ(alarms().size(), 1U);
  EXPECT_EQ(
      alarms().at(0),
      "confirm: a key of consumer 'mail' signed confirmations of 'points', which are refused");
}

TEST_F(ReplyTopic, H9_a_reply_that_waited_counts_until_it_is_too_old_and_one_from_tomorrow_never) {
  for (const char* id : {"hours", "days", "tomorrow"}) shop_.add(id);
  publish(signed_request({item("days")}, kKey, kNow - std::chrono::hours(25)));
  publish(signed_request({item("tomorrow")}, kKey, kNow + std::chrono::hours(24)));
  publish(signed_request({item("hours")}, kKey, kNow - std::chrono::hours(23)));
  start_reader(std::chrono::hours(24));
  EXPECT_TRUE(wait_until([&] { return shop_.state_of("hours") == "SUCCESS"; }));
  EXPECT_TRUE(wait_until([&] { return reader_->stats().dropped == 2; }));
  EXPECT_EQ(shop_.state_of("days"), "INIT");
  EXPECT_EQ(shop_.state_of("tomorrow"), "INIT");
}

TEST_F(ReplyTopic, H2_a_reply_that_comes_again_changes_nothing) {
  shop_.add("1");
  for (int copy = 0; copy < 20; ++copy) publish(signed_request({item("1")}, kKey));
  start_reader();
  EXPECT_TRUE(wait_until([&] { return reader_->stats().requests == 20; }));
  EXPECT_EQ(shop_.state_of("1"), "SUCCESS");
}

TEST_F(ReplyTopic, H8_replies_stay_in_the_topic_while_the_database_has_no_answer) {
  shop_.add("1");
  shop_.add("2");
  store_.is_down = true;
  publish(signed_request({item("1")}, kKey));
  publish(signed_request({item("2")}, kKey));
  start_reader();
  EXPECT_TRUE(wait_until([&] { return store_.opened >= 5; })) << "it tries again and again";
  EXPECT_EQ(unread(), 2);
  store_.is_down = false;
  EXPECT_TRUE(wait_until([&] { return shop_.state_of("2") == "SUCCESS"; }));
  EXPECT_EQ(shop_.state_of("1"), "SUCCESS");
  EXPECT_EQ(reader_->stats().dropped, 0U);
}

TEST_F(ReplyTopic, H8_replies_stay_in_the_topic_while_the_store_throws) {
  shop_.add("1");
  store_.throws = true;
  publish(signed_request({item("1")}, kKey));
  start_reader();
  EXPECT_TRUE(wait_until([&] { return store_.opened >= 3; })) << "it tries again and again";
  EXPECT_EQ(unread(), 1);
  store_.throws = false;
  EXPECT_TRUE(wait_until([&] { return shop_.state_of("1") == "SUCCESS"; }));
}

TEST_F(ReplyTopic, a_topic_that_is_not_there_leaves_the_confirmation_in_the_inbox) {
  queue_.create_topics = false;
  const auto reply = post()(signed_request({item("1")}, kKey));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().remedy, Remedy::fix_call);
  EXPECT_NE(reply.error().text.find("reply topic 'replies': destination_down"), std::string::npos)
      << reply.error().text;
}

// A topic that is not there, or not yet.
class MissingTopic final : public Subscriber {
 public:
  explicit MissingTopic(std::atomic<int>& asked) : asked_(asked) {}
  Status receive(Steady, std::size_t, std::vector<Delivery>&) override {
    ++asked_;
    return Error{Remedy::fix_call, "topic 'replies' does not exist", "create it"};
  }
  Status settle(std::span<const std::uint64_t>, Settle) override { return {}; }
  void wake() noexcept override {}

 private:
  std::atomic<int>& asked_;
};

TEST_F(ReplyTopic, a_topic_that_stays_away_is_told_once) {
  std::atomic<int> asked = 0;
  std::atomic<int> told = 0;
  ReplyReaderOptions options;
  options.retry_wait = Millis(1);
  options.log = [&](LogLevel level, std::string_view text) {
    EXPECT_EQ(level, LogLevel::alarm);
    EXPECT_NE(text.find("does not exist"), text.npos) << text;
    ++told;
  };
  ReplyReader reader(
      endpoint_,
      [&]() -> Result<std::unique_ptr<Subscriber>> {
        return std::unique_ptr<Subscriber>(std::make_unique<MissingTopic>(asked));
      },
      options);
  ASSERT_TRUE(reader.start().ok());
  EXPECT_TRUE(wait_until([&] { return asked >= 20; }));
  reader.stop();
  EXPECT_EQ(told, 1);
}

TEST_F(ReplyTopic, a_request_that_is_too_large_is_answered_as_http_would) {
  queue_.body_bytes_max = 1024;
  const auto reply = post()(signed_request(std::string(2000, 'x'), kKey));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->status, 413);
}

TEST_F(ReplyTopic, a_reader_refuses_options_out_of_bounds) {
  ReplyReader reader(endpoint_, [] { return Result<std::unique_ptr<Subscriber>>(nullptr); },
                     {.age_max = std::chrono::seconds(299)});
  const Status started = reader.start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().remedy, Remedy::fix_call);
}

}  // namespace
}  // namespace waybill::confirm::testing
