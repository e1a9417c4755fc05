#include "waybill/confirm/sender.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "shop.hpp"
#include "waybill/confirm/batch.hpp"
#include "waybill/testing/faulty_post.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::confirm::testing {
namespace {

using waybill::testing::wait_until;

const Key kKey = key_of("points", "points-1");

class SteppedClock final : public Clock {
 public:
  [[nodiscard]] Steady now() const noexcept override { return Steady(Millis(millis_.load())); }
  void step(Millis by) { millis_ += by.count(); }

 private:
  std::atomic<std::int64_t> millis_ = 0;
};

Reply reply_to(const Request& request, ConfirmResult result) {
  const auto items = parse_batch(request.body);
  if (!items) return {400, "application/problem+json", "{}"};
  return {200, "application/json",
          encode_results(*items, std::vector<ConfirmResult>(items->size(), result))};
}

class SenderTest : public ::testing::Test {
 protected:
  SenderOptions options() {
    SenderOptions options;
    options.consumer = "points";
    options.key = kKey;
    options.poll_interval = Millis(2);
    options.backoff_min = Millis(1);
    options.backoff_max = Millis(5);
    options.clock = &clock_;
    options.now = [] { return kNow; };
    options.log = [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      logged_.emplace_back(level, std::string(text));
    };
    return options;
  }

  // Starts a sender that speaks to `answer`; what it sent is recorded before it is answered.
  void start(SenderOptions options, Post answer) {
    sender_ = std::make_unique<Sender>(
        shop_.inbox(),
        [this, answer = std::move(answer)](const Request& request) {
          {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request);
          }
          return answer(request);
        },
        std::move(options));
    const Status started = sender_->start();
    ASSERT_TRUE(started.ok()) << started.error().to_string();
  }

  [[nodiscard]] std::int64_t pending() {
    return shop_.count("waybill_inbox WHERE confirmed_at IS NULL");
  }
  [[nodiscard]] std::size_t requests() {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }
  [[nodiscard]] Request request(std::size_t index) {
    const std::lock_guard lock(mutex_);
    return requests_.at(index);
  }
  [[nodiscard]] std::size_t logged(LogLevel level, std::string_view part) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(logged_.begin(), logged_.end(), [&](const auto& entry) {
          return entry.first == level && entry.second.find(part) != std::string::npos;
        }));
  }

  Shop shop_;
  SteppedClock clock_;
  Endpoint endpoint_{shop_.store(), ring_of({kKey}), {.now = [] { return kNow; }}};
  const Post to_endpoint_ = [this](const Request& request) -> Result<Reply> {
    return endpoint_.handle(request);
  };
  std::mutex mutex_;  // guards the members below
  std::vector<Request> requests_;
  std::vector<std::pair<LogLevel, std::string>> logged_;
  std::unique_ptr<Sender> sender_;  // last: stops before what it calls goes
};

TEST_F(SenderTest, H1_sends_what_the_inbox_holds_signed_and_in_batches) {
  for (int i = 0; i < 7; ++i) {
    shop_.add(std::to_string(i));
    shop_.consume(id_of(std::to_string(i)));
  }
  shop_.add("bad");
  shop_.consume(id_of("bad"), Verdict::failed, "no such account");
  SenderOptions small = options();
  small.batch_max = 3;
  small.retention = std::chrono::hours(5);
  start(small, to_endpoint_);
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(requests(), 3U);
  const Request first = request(0);
  EXPECT_EQ(first.method, "POST");
  EXPECT_EQ(first.target, kPath);
  EXPECT_NE(verify(first, ring_of({kKey}), kNow), nullptr);
  const auto items = parse_batch(first.body);
  ASSERT_TRUE(items.ok());
  ASSERT_EQ(items->size(), 3U);
  EXPECT_EQ((*items)[0].message_id, id_of("0"));
  EXPECT_EQ((*items)[0].retention, std::chrono::hours(5));
  EXPECT_EQ((*items)[0].sent_at, DatabaseTime(kNow));
  EXPECT_EQ(shop_.count("local_message WHERE state = 'SUCCESS'"), 7);
  EXPECT_EQ(shop_.state_of("bad"), "DEAD");
  EXPECT_TRUE(wait_until([&] { return sender_->stats().confirmed == 8; }));
}

TEST_F(SenderTest, sends_at_once_when_it_is_rung) {
  SenderOptions patient = options();
  patient.poll_interval = std::chrono::hours(1);
  patient.gather = Millis(0);
  std::atomic<int> answered = 0;
  start(patient, [&](const Request& request) -> Result<Reply> {
    ++answered;
    return reply_to(request, ConfirmResult::done);
  });
  for (int i = 1; i <= 3; ++i) {
    shop_.consume(id_of(std::to_string(i)));
    sender_->ring();
    ASSERT_TRUE(wait_until([&] { return answered == i; }));
  }
}

TEST_F(SenderTest, what_is_consumed_soon_after_a_ring_goes_into_one_request) {
  SenderOptions gathering = options();
  gathering.poll_interval = std::chrono::hours(1);
  gathering.gather = Millis(1000);
  start(gathering, to_endpoint_);
  for (int i = 1; i <= 3; ++i) {
    shop_.add(std::to_string(i));
    shop_.consume(id_of(std::to_string(i)));
    sender_->ring();
  }
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(requests(), 1U);
}

TEST_F(SenderTest, already_is_an_answer_too) {
  shop_.consume(id_of("A"));
  start(options(), [](const Request& request) -> Result<Reply> {
    return reply_to(request, ConfirmResult::already);
  });
  EXPECT_TRUE(wait_until([&] { return pending() == 0; }));
}

TEST_F(SenderTest, H4_a_lost_request_or_answer_is_repeated_until_it_arrives) {
  constexpr int kRows = 40;
  for (int i = 0; i < kRows; ++i) {
    shop_.add(std::to_string(i));
    shop_.consume(id_of(std::to_string(i)));
  }
  SenderOptions small = options();
  small.batch_max = 4;
  start(small, waybill::testing::make_faulty(to_endpoint_,
                                             {.lose_request = 0.3, .lose_reply = 0.4, .seed = 7}));
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(shop_.count("local_message WHERE state = 'SUCCESS'"), kRows);
  EXPECT_GT(sender_->stats().failed_requests, 0U);
  // Repeats were answered as the first time: the endpoint counts more items than there are rows.
  EXPECT_GT(endpoint_.stats().accepted, static_cast<std::uint64_t>(kRows));
  EXPECT_EQ(endpoint_.stats().not_found, 0U);
}

TEST_F(SenderTest, H4_a_row_that_a_duplicate_reopened_is_confirmed_again) {
  shop_.add("A");
  shop_.consume(id_of("A"));
  start(options(), to_endpoint_);
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  shop_.query("UPDATE waybill_inbox SET confirmed_at = NULL, epoch = 1");
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(requests(), 2U);
  EXPECT_EQ(parse_batch(request(1).body)->at(0).epoch, 1U);
}

TEST_F(SenderTest, H4_a_reopened_row_is_reached_although_newer_ones_keep_coming) {
  shop_.consume(id_of("first"));
  std::atomic<bool> reached = false;
  std::atomic<int> posts = 0;
  start(options(), [&](const Request& request) -> Result<Reply> {
    const auto items = parse_batch(request.body);
    // Each request finds the next row waiting already, so that the sender never comes to rest.
    shop_.consume(id_of("n" + std::to_string(++posts)));
    if (posts == 1) return reply_to(request, ConfirmResult::done);
    if (posts == 3) {
      shop_.query("UPDATE waybill_inbox SET confirmed_at = NULL WHERE message_id = '" +
                  id_of("first") + "'");
    }
    for (const Confirmation& one : *items) {
      if (posts > 3 && posts < 100 && one.message_id == id_of("first")) reached = true;
    }
    // After this many, coming round to it would be chance.
    if (reached || posts >= 100) return Error{Remedy::retry, "enough", {}};
    return reply_to(request, ConfirmResult::done);
  });
  EXPECT_TRUE(wait_until([&] { return reached || posts >= 100; }));
  EXPECT_TRUE(reached);
}

TEST_F(SenderTest, H8_a_dead_endpoint_blocks_no_consumer_and_is_asked_until_it_answers) {
  std::atomic<bool> is_down = true;
  start(options(), [&](const Request& request) -> Result<Reply> {
    if (is_down) return Error{Remedy::retry, "connection refused", {}};
    return endpoint_.handle(request);
  });
  // The consumer goes on writing while the sender fails again and again.
  constexpr int kRows = 30;
  for (int i = 0; i < kRows; ++i) {
    shop_.add(std::to_string(i));
    shop_.consume(id_of(std::to_string(i)));
  }
  ASSERT_TRUE(wait_until([&] { return sender_->stats().failed_requests >= 5; }));
  EXPECT_EQ(pending(), kRows);
  EXPECT_EQ(logged(LogLevel::warning, "connection refused"), 1U);
  is_down = false;
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(shop_.count("local_message WHERE state = 'SUCCESS'"), kRows);

  is_down = true;
  shop_.consume(id_of("later"));
  EXPECT_TRUE(wait_until([&] { return logged(LogLevel::warning, "connection refused") == 2; }));
}

TEST_F(SenderTest, H8_no_answer_whatever_confirms_a_row_or_ends_the_sender) {
  shop_.add("A");
  shop_.consume(id_of("A"));
  std::deque<Result<Reply>> answers = {
      Error{Remedy::look, "the answer was lost", {}},
      Error{Remedy::fix_call, "bad url", {}},
      Reply{200, "application/json", ""},
      Reply{200, "application/json", R"({"results":[]})"},
      Reply{200, "application/json", R"({"results":[{"result":"done"},{"result":"done"}]})"},
      Reply{200, "text/html", "<html>"},
      Reply{204, "", ""},
      Reply{302, "", ""},
      Reply{401, "application/problem+json", "{}"},
      Reply{404, "application/problem+json", "{}"},
      Reply{500, "application/problem+json", "{}"},
      Reply{503, "application/problem+json", "{}"},
  };
  const std::size_t bad_answers = answers.size();
  std::atomic<bool> thrown = false;
  std::atomic<std::int64_t> confirmed_early = 0;
  start(options(), [&](const Request& request) -> Result<Reply> {
    confirmed_early += 1 - pending();
    if (!answers.empty()) {
      auto answer = answers.front();
      answers.pop_front();
      return answer;
    }
    if (!thrown.exchange(true)) throw std::runtime_error("a post that throws");
    return endpoint_.handle(request);
  });
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(confirmed_early, 0);
  EXPECT_EQ(requests(), bad_answers + 2);
  EXPECT_EQ(sender_->stats().failed_requests, bad_answers);
  EXPECT_EQ(logged(LogLevel::alarm, "401"), 1U) << "more than the warnings before it";
}

TEST_F(SenderTest, H8_an_inbox_that_fails_for_a_while_is_opened_again) {
  start(options(), to_endpoint_);
  shop_.query("ALTER TABLE waybill_inbox RENAME TO waybill_inbox_away");
  ASSERT_TRUE(wait_until([&] { return logged(LogLevel::warning, "waybill_inbox") > 0; }));
  shop_.query("ALTER TABLE waybill_inbox_away RENAME TO waybill_inbox");
  shop_.add("A");
  shop_.consume(id_of("A"));
  EXPECT_TRUE(wait_until([&] { return pending() == 0; }));
}

TEST_F(SenderTest, H3_an_unknown_message_waits_beside_the_others_and_is_given_up_in_the_end) {
  shop_.consume(id_of("unknown"));
  shop_.add("A");
  shop_.consume(id_of("A"));
  start(options(), to_endpoint_);
  ASSERT_TRUE(wait_until([&] { return pending() == 1; }));
  EXPECT_EQ(requests(), 1U);

  // Each step is one wait: 1 s, 2 s, 4 s … 1 h.
  Millis wait{1000};
  Millis passed{0};
  std::size_t asked = 1;
  while (sender_->stats().given_up == 0) {
    clock_.step(wait - Millis(1));
    shop_.add("n" + std::to_string(asked));
    shop_.consume(id_of("n" + std::to_string(asked)));
    ASSERT_TRUE(wait_until([&] { return pending() == 1; })) << "held up by the one that waits";
    const auto before = endpoint_.stats().not_found;
    EXPECT_EQ(before, asked) << "asked too early after " << passed.count();
    clock_.step(Millis(1));
    ASSERT_TRUE(wait_until([&] { return endpoint_.stats().not_found == asked + 1; }));
    // The answer has been dealt with once a later row is through.
    shop_.add("m" + std::to_string(asked));
    shop_.consume(id_of("m" + std::to_string(asked)));
    ASSERT_TRUE(wait_until([&] { return pending() <= 1; }));
    ++asked;
    passed += wait;
    wait = std::min<Millis>(wait * 2, std::chrono::hours(1));
    if (passed >= std::chrono::hours(24)) {
      ASSERT_TRUE(wait_until([&] { return sender_->stats().given_up == 1; }));
    }
  }
  EXPECT_GE(passed, std::chrono::hours(24));
  EXPECT_LT(passed, std::chrono::hours(26));
  EXPECT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(logged(LogLevel::alarm, id_of("unknown")), 1U);
}

// A consumer that no route requires is told so for each of its messages.
TEST_F(SenderTest, H3_only_so_many_unknown_messages_wait_and_the_others_go_on) {
  SenderOptions few = options();
  few.waiting_max = 5;
  for (int i = 0; i < 20; ++i) shop_.consume(id_of("unknown-" + std::to_string(i)));
  start(few, to_endpoint_);
  ASSERT_TRUE(wait_until([&] { return pending() == 5; }));
  EXPECT_EQ(sender_->stats().given_up, 15U);
  EXPECT_EQ(logged(LogLevel::alarm, "given up at once"), 1U);
  shop_.add("A");
  shop_.consume(id_of("A"));
  EXPECT_TRUE(wait_until([&] { return sender_->stats().confirmed == 16U; }));
  EXPECT_EQ(pending(), 5);
  // They become known: what waited is confirmed, and there is room again.
  for (int i = 0; i < 20; ++i) shop_.add("unknown-" + std::to_string(i));
  clock_.step(Millis(1000));
  EXPECT_TRUE(wait_until([&] { return pending() == 0; }));
}

TEST_F(SenderTest, a_row_that_the_producer_refuses_is_found_and_holds_up_no_other) {
  constexpr int kRows = 20;
  for (int i = 0; i < kRows; ++i) {
    shop_.add(std::to_string(i));
    shop_.consume(id_of(std::to_string(i)));
    if (i == 11) shop_.consume(std::string(800, 'x'));
  }
  start(options(), to_endpoint_);
  ASSERT_TRUE(wait_until([&] { return pending() == 1; }));
  EXPECT_EQ(shop_.count("local_message WHERE state = 'SUCCESS'"), kRows);
  EXPECT_TRUE(wait_until([&] { return logged(LogLevel::alarm, "refuses") == 1; }));
  // It is asked for again, and never given up.
  const auto failed = sender_->stats().failed_requests;
  clock_.step(std::chrono::hours(48));
  EXPECT_TRUE(wait_until([&] { return sender_->stats().failed_requests > failed; }));
  EXPECT_EQ(sender_->stats().given_up, 0U);
  EXPECT_EQ(pending(), 1);
}

TEST_F(SenderTest, a_body_is_kept_below_the_limit_of_the_endpoint) {
  constexpr std::size_t kLimit = 2000;
  for (int i = 0; i < 40; ++i) {
    shop_.consume(id_of(std::to_string(i)), Verdict::failed, std::string(100, '\x01'));
  }
  SenderOptions small = options();
  small.body_bytes_max = kLimit;
  start(small, [](const Request& request) -> Result<Reply> {
    if (request.body.size() > kLimit) return Reply{413, "", ""};
    return reply_to(request, ConfirmResult::done);
  });
  ASSERT_TRUE(wait_until([&] { return pending() == 0; }));
  EXPECT_EQ(sender_->stats().failed_requests, 0U);
  EXPECT_GT(requests(), 10U);
}

TEST_F(SenderTest, an_endpoint_with_a_smaller_limit_gets_smaller_batches) {
  for (int i = 0; i < 40; ++i) shop_.consume(id_of(std::to_string(i)));
  start(options(), [](const Request& request) -> Result<Reply> {
    if (request.body.size() > 1000) return Reply{413, "", ""};
    return reply_to(request, ConfirmResult::done);
  });
  EXPECT_TRUE(wait_until([&] { return pending() == 0; }));
}

TEST_F(SenderTest, stop_leaves_what_is_pending_in_the_inbox) {
  shop_.consume(id_of("A"));
  SenderOptions slow = options();
  slow.backoff_min = slow.backoff_max = std::chrono::hours(1);
  start(slow, [](const Request&) -> Result<Reply> { return Error{Remedy::retry, "down", {}}; });
  ASSERT_TRUE(wait_until([&] { return sender_->stats().failed_requests == 1; }));
  sender_->stop();
  EXPECT_EQ(pending(), 1);
  sender_->stop();
}

TEST_F(SenderTest, refuses_options_out_of_bounds) {
  const auto refused = [&](auto change) {
    SenderOptions wrong = options();
    change(wrong);
    Sender sender(shop_.inbox(), to_endpoint_, wrong);
    const Status started = sender.start();
    return !started && started.error().remedy == Remedy::fix_call && !started.error().hint.empty();
  };
  EXPECT_TRUE(refused([](SenderOptions& o) { o.batch_max = 0; }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.batch_max = 1001; }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.waiting_max = 0; }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.waiting_max = 100'001; }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.retention = std::chrono::seconds(0); }));
  EXPECT_TRUE(
      refused([](SenderOptions& o) { o.retention = kRetentionMax + std::chrono::seconds(1); }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.poll_interval = Millis(0); }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.gather = Millis(-1); }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.backoff_min = Millis(0); }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.backoff_max = o.backoff_min - Millis(1); }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.key.secret = "short"; }));
  EXPECT_TRUE(refused([](SenderOptions& o) { o.consumer = "mail"; }));
  EXPECT_FALSE(refused([](SenderOptions&) {}));
}

}  // namespace
}  // namespace waybill::confirm::testing
