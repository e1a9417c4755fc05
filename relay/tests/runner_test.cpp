#include "waybill/relay/runner.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "fake_publisher.hpp"
#include "waybill/relay/doorbell.hpp"
#include "waybill/testing/model_store.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::relay {
namespace {

using testing::Answer;
using testing::FakeBroker;
using testing::Sent;
using waybill::testing::ModelStore;
using waybill::testing::wait_until;

constexpr auto kPatience = std::chrono::seconds(10);

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() : store_(clock_) {
    store_.set_route({.message_type = "a", .destination = "topic", .consumers = {}});
  }

  RunnerOptions options(std::string holder = "here") {
    RunnerOptions options;
    options.holder = std::move(holder);
    options.seed = 1;
    options.engine.ttl = Millis(400);
    options.engine.retry_first = Millis(20);
    options.engine.probe_interval = Millis(20);
    options.engine.slow_poll = Millis(10);
    options.engine.routes_interval = Millis(20);
    options.log = [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(log_mutex_);
      if (level == LogLevel::alarm) alarms_.emplace_back(text);
    };
    return options;
  }

  [[nodiscard]] std::size_t alarms_with(std::string_view text) const {
    const std::lock_guard lock(log_mutex_);
    return static_cast<std::size_t>(std::count_if(
        alarms_.begin(), alarms_.end(),
        [&](const std::string& alarm) { return alarm.find(text) != std::string::npos; }));
  }

  SteadyClock clock_;
  ModelStore store_;
  FakeBroker broker_;
  mutable std::mutex log_mutex_;
  std::vector<std::string> alarms_;
};

TEST_F(RunnerTest, F1_publishes_and_advances_every_row_once) {
  for (int i = 0; i < 3000; ++i) store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  EXPECT_TRUE(wait_until([&] { return store_.count(MessageState::SUCCESS) == 3000; }));
  EXPECT_TRUE(wait_until([&] { return runner.stats().marked == 3000; }));
  runner.stop(std::chrono::seconds(2));
  EXPECT_EQ(broker_.sent().size(), 3000U);
  EXPECT_EQ(broker_.copies().size(), 3000U);
  EXPECT_EQ(runner.stats().published, 3000U);
  EXPECT_EQ(runner.stats().in_flight, 0U);
  EXPECT_EQ(store_.lease_view().holder, "") << "a clean stop gives the lease back";
}

TEST_F(RunnerTest, F1_confirmed_type_goes_to_SENT_and_carries_the_database_time) {
  store_.set_route({.message_type = "c", .destination = "topic", .consumers = {"points"}});
  const std::int64_t id = store_.insert("c");
  const DatabaseTime before = store_.now();
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SENT; }));
  const Sent sent = broker_.sent().at(0);
  EXPECT_EQ(sent.message_id, "test/c/m1");
  EXPECT_EQ(sent.body, "content of 1");
  EXPECT_GE(sent.sent_at, before - std::chrono::milliseconds(5));
  EXPECT_LE(sent.sent_at, store_.now());
}

TEST_F(RunnerTest, I5_a_consumer_that_remembers_for_longer_gets_its_copies_for_longer) {
  store_.set_route({.message_type = "c", .destination = "topic", .consumers = {"points"}});
  store_.set_progress({{{"c", "points", DatabaseTime{}, std::chrono::days(30)}}});
  const std::int64_t id = store_.insert("c");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.run_once(kPatience).ok());
  ASSERT_EQ(store_.state(id), MessageState::SENT);
  store_.jump(std::chrono::days(8));
  ASSERT_TRUE(runner.start().ok());
  EXPECT_TRUE(wait_until([&] { return broker_.sent().size() == 2; }));
  EXPECT_NE(store_.state(id), MessageState::DEAD);
}

TEST_F(RunnerTest, B1_refused_then_healed_is_sent_later) {
  std::atomic<bool> refuses = true;
  broker_.answer_with([&](const Sent&) {
    return refuses ? Answer{PublishResult::rejected, "not now"} : Answer{};
  });
  const std::int64_t id = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return store_.row(id).refusals >= 2; }));
  EXPECT_EQ(store_.state(id), MessageState::RETRY);
  EXPECT_EQ(store_.row(id).reason, "not now");
  refuses = false;
  EXPECT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SUCCESS; }));
}

TEST_F(RunnerTest, B2_lost_ack_is_published_again_with_the_same_id) {
  std::atomic<int> lost = 3;
  broker_.answer_with([&](const Sent&) {
    return lost-- > 0 ? Answer{PublishResult::unknown, "no answer"} : Answer{};
  });
  const std::int64_t id = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SUCCESS; }));
  EXPECT_EQ(broker_.copies(), (std::map<std::string, int>{{"test/a/m1", 4}}));
  EXPECT_EQ(store_.row(id).refusals, 0U);
}

TEST_F(RunnerTest, A3_down_destination_counts_nothing_and_heals) {
  std::atomic<bool> down = true;
  broker_.answer_with([&](const Sent&) {
    return down ? Answer{PublishResult::unreachable, "connection refused"} : Answer{};
  });
  for (int i = 0; i < 100; ++i) store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] {
    const RunnerStats stats = runner.stats();
    return !stats.destinations.empty() && stats.destinations[0].breaker == BreakerState::open;
  }));
  ASSERT_TRUE(wait_until([&] { return broker_.sent().size() > 105; })) << "probes go on";
  EXPECT_EQ(store_.count(MessageState::INIT), 100U);
  EXPECT_EQ(runner.stats().refused, 0U);
  EXPECT_EQ(alarms_with("destination 'topic' is down"), 1U);
  EXPECT_NE(runner.stats().last_error.find("connection refused"), std::string::npos);
  down = false;
  EXPECT_TRUE(wait_until([&] { return store_.count(MessageState::SUCCESS) == 100; }));
}

TEST_F(RunnerTest, L3_publisher_that_takes_long_to_end_holds_no_other_destination_up) {
  std::atomic<bool> ends = false;
  std::atomic<bool> may_end = false;
  broker_.end_with([&](const std::string& destination) {
    if (destination != "topic") return;
    ends = true;
    EXPECT_TRUE(wait_until([&] { return may_end.load(); }));
  });
  broker_.answer_with([](const Sent& sent) {
    return sent.destination == "topic" ? Answer{PublishResult::unreachable, "down"} : Answer{};
  });
  store_.set_route({.message_type = "b", .destination = "other", .consumers = {}});
  Runner runner(store_, broker_.opener(), clock_, options());
  for (int i = 0; i < 10; ++i) store_.insert("a");
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return ends.load(); }));
  const auto counter = store_.lease_view().counter;
  EXPECT_TRUE(wait_until([&] { return store_.lease_view().counter >= counter + 3; }))
      << "meanwhile probes come due, and the lease is kept";
  const std::int64_t id = store_.insert("b");
  EXPECT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SUCCESS; }));
  may_end = true;
}

TEST_F(RunnerTest, L4_refused_for_good_is_DEAD_with_the_reason_and_an_alarm) {
  broker_.answer_with([&](const Sent&) { return Answer{PublishResult::rejected, "too large"}; });
  RunnerOptions quick = options();
  quick.engine.refusals_max = 3;
  quick.engine.retry_first = Millis(1);
  const std::int64_t id = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, quick);
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return store_.state(id) == MessageState::DEAD; }));
  EXPECT_EQ(store_.row(id).reason, "too large");
  EXPECT_EQ(broker_.sent().size(), 3U);
  EXPECT_TRUE(wait_until([&] { return alarms_with("is DEAD: too large") == 1; }));
}

TEST_F(RunnerTest, C6_defect_row_is_DEAD_and_never_published) {
  const std::int64_t bad = store_.insert("a");
  store_.set_defect(bad, "content is no base64");
  const std::int64_t good = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  EXPECT_TRUE(wait_until([&] {
    return store_.state(bad) == MessageState::DEAD && store_.state(good) == MessageState::SUCCESS;
  }));
  EXPECT_EQ(store_.row(bad).reason, "content is no base64");
  EXPECT_EQ(broker_.sent().size(), 1U);
}

TEST_F(RunnerTest, C4_type_without_route_waits_and_goes_on_when_the_route_exists) {
  const std::int64_t waiting = store_.insert("unknown");
  const std::int64_t other = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return store_.state(other) == MessageState::SUCCESS; }));
  ASSERT_TRUE(
      wait_until([&] { return alarms_with("'unknown' wait: the type has no route") == 1; }));
  EXPECT_EQ(store_.state(waiting), MessageState::INIT);
  store_.set_route({.message_type = "unknown", .destination = "elsewhere", .consumers = {}});
  EXPECT_TRUE(wait_until([&] { return store_.state(waiting) == MessageState::SUCCESS; }));
}

TEST_F(RunnerTest, C4_destination_that_cannot_be_opened_stops_only_its_types) {
  store_.set_route({.message_type = "b", .destination = "nowhere", .consumers = {}});
  const OpenPublisher all = broker_.opener();
  const OpenPublisher some =
      [&](std::string_view destination) -> Result<std::unique_ptr<Publisher>> {
    if (destination == "nowhere") return Error{Remedy::fix_call, "not configured", {}};
    return all(destination);
  };
  const std::int64_t stuck = store_.insert("b");
  const std::int64_t fine = store_.insert("a");
  Runner runner(store_, some, clock_, options());
  ASSERT_TRUE(runner.start().ok());
  EXPECT_TRUE(wait_until([&] { return store_.state(fine) == MessageState::SUCCESS; }));
  EXPECT_TRUE(wait_until([&] { return alarms_with("not configured") == 1; }));
  EXPECT_EQ(store_.state(stuck), MessageState::INIT);
}

TEST_F(RunnerTest, F2_failed_mark_is_repeated_without_publishing_again) {
  std::atomic<int> failures = 2;
  store_.fault = [&](std::string_view call) -> std::optional<Error> {
    if (call == "mark" && failures-- > 0) return Error{Remedy::look, "answer lost", {}};
    return std::nullopt;
  };
  const std::int64_t id = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  EXPECT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SUCCESS; }));
  EXPECT_EQ(broker_.sent().size(), 1U);
}

TEST_F(RunnerTest, L2_no_two_relays_hold_the_lease_by_one_name) {
  Runner first(store_, broker_.opener(), clock_, options("shared"));
  Runner second(store_, broker_.opener(), clock_, options("shared"));
  std::set<std::string> names;
  for (Runner* runner : {&first, &second, &first}) {
    ASSERT_TRUE(runner->start().ok());
    ASSERT_TRUE(wait_until([&] { return runner->stats().is_leader; }));
    names.insert(store_.lease_view().holder);
    runner->stop(std::chrono::seconds(2));
  }
  EXPECT_EQ(names.size(), 3U);
  for (const std::string& name : names) EXPECT_EQ(name.substr(0, 7), "shared#");
}

TEST_F(RunnerTest, the_longest_deadline_is_not_at_once) {
  for (int i = 0; i < 100; ++i) store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  EXPECT_TRUE(runner.run_once(Millis::max()).ok());
  EXPECT_EQ(store_.count(MessageState::SUCCESS), 100U);
  std::atomic<int> failures = 2;
  store_.fault = [&](std::string_view call) -> std::optional<Error> {
    if (call == "mark" && failures-- > 0) return Error{Remedy::retry, "busy", {}};
    return std::nullopt;
  };
  ASSERT_TRUE(runner.start().ok());
  const std::int64_t id = store_.insert("a");
  ASSERT_TRUE(wait_until([&] { return failures < 2; }));
  runner.stop(Millis::max());
  EXPECT_EQ(store_.state(id), MessageState::SUCCESS);
  EXPECT_EQ(store_.lease_view().holder, "");
}

TEST_F(RunnerTest, L1_a_name_that_no_lease_row_can_hold_is_refused) {
  Runner runner(store_, broker_.opener(), clock_, options(std::string(201, 'h')));
  const Status started = runner.start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().remedy, Remedy::fix_call);
}

TEST_F(RunnerTest, G3_standby_takes_over_when_the_holder_is_silent) {
  store_.set_lease({7, 3, "dead relay"});
  const std::int64_t id = store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  const Steady started = clock_.now();
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SUCCESS; }));
  EXPECT_GE(clock_.now() - started, Millis(500)) << "not before ttl + margin";
  EXPECT_EQ(runner.stats().fence, 8U);
}

TEST_F(RunnerTest, G3_two_relays_publish_each_row_once_and_the_standby_follows) {
  Runner first(store_, broker_.opener(), clock_, options("first"));
  Runner second(store_, broker_.opener(), clock_, options("second"));
  ASSERT_TRUE(first.start().ok());
  ASSERT_TRUE(wait_until([&] { return first.stats().is_leader; }));
  ASSERT_TRUE(second.start().ok());
  for (int i = 0; i < 500; ++i) store_.insert("a");
  ASSERT_TRUE(wait_until([&] { return store_.count(MessageState::SUCCESS) == 500; }));
  EXPECT_FALSE(second.stats().is_leader);
  first.stop(std::chrono::seconds(2));
  for (int i = 0; i < 500; ++i) store_.insert("a");
  EXPECT_TRUE(wait_until([&] { return store_.count(MessageState::SUCCESS) == 1000; }));
  EXPECT_EQ(broker_.sent().size(), 1000U);
}

TEST_F(RunnerTest, G6_once_publishes_everything_and_says_so) {
  for (int i = 0; i < 1234; ++i) store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  const auto report = runner.run_once(std::chrono::seconds(10));
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_EQ(report->published, 1234U);
  EXPECT_EQ(report->marked, 1234U);
  EXPECT_EQ(report->left, 0U);
  EXPECT_FALSE(report->fenced);
  EXPECT_EQ(store_.lease_view().holder, "");
}

TEST_F(RunnerTest, G6_once_on_an_empty_table_ends_at_once) {
  Runner runner(store_, broker_.opener(), clock_, options());
  const auto report = runner.run_once(std::chrono::seconds(10));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->published + report->marked + report->refused + report->left, 0U);
}

TEST_F(RunnerTest, G6_once_leaves_what_cannot_be_published_now) {
  broker_.answer_with([](const Sent&) { return Answer{PublishResult::unreachable, "down"}; });
  for (int i = 0; i < 10; ++i) store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  const auto report = runner.run_once(std::chrono::seconds(10));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->published, 0U);
  EXPECT_EQ(report->left, 10U);
  EXPECT_EQ(store_.count(MessageState::INIT), 10U);
}

TEST_F(RunnerTest, G6_once_says_who_holds_the_lease) {
  Runner holder(store_, broker_.opener(), clock_, options("holder"));
  ASSERT_TRUE(holder.start().ok());
  ASSERT_TRUE(wait_until([&] { return holder.stats().is_leader; }));
  Runner runner(store_, broker_.opener(), clock_, options("other"));
  const auto report = runner.run_once(Millis(100));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().remedy, Remedy::retry);
  EXPECT_NE(report.error().text.find("'holder#"), std::string::npos) << report.error().text;
}

TEST_F(RunnerTest, stop_does_not_wait_longer_than_told_for_a_hanging_broker) {
  broker_.answer_with([](const Sent&) { return Answer{.silent = true}; });
  for (int i = 0; i < 10; ++i) store_.insert("a");
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return broker_.sent().size() == 10; }));
  const Steady before = clock_.now();
  runner.stop(Millis(300));
  EXPECT_LT(clock_.now() - before, std::chrono::seconds(2));
  EXPECT_EQ(store_.count(MessageState::INIT), 10U);
  EXPECT_EQ(runner.stats().in_flight, 10U) << "nothing was flushed";
  EXPECT_EQ(store_.lease_view().holder, "");
}

TEST_F(RunnerTest, a_runner_that_was_stopped_starts_again) {
  Runner runner(store_, broker_.opener(), clock_, options());
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(runner.start().ok());
    EXPECT_FALSE(runner.start().ok()) << "it runs already";
    store_.insert("a");
    const auto done = static_cast<std::size_t>(round);
    ASSERT_TRUE(wait_until([&] { return store_.count(MessageState::SUCCESS) == done; }));
    runner.stop(std::chrono::seconds(1));
  }
  EXPECT_EQ(broker_.sent().size(), 3U);
}

TEST_F(RunnerTest, start_refuses_what_cannot_work) {
  RunnerOptions no_sessions = options();
  no_sessions.sessions = 0;
  EXPECT_EQ(Runner(store_, broker_.opener(), clock_, no_sessions).start().error().remedy,
            Remedy::fix_call);
  RunnerOptions no_window = options();
  no_window.engine.window = 0;
  EXPECT_FALSE(Runner(store_, broker_.opener(), clock_, no_window).start().ok());
  store_.fault = [](std::string_view) { return Error{Remedy::fix_call, "no such table", {}}; };
  EXPECT_EQ(Runner(store_, broker_.opener(), clock_, options()).start().error().text,
            "no such table");
}

TEST_F(RunnerTest, survives_a_store_that_fails_for_a_while) {
  std::atomic<bool> broken = false;
  store_.fault = [&](std::string_view) -> std::optional<Error> {
    if (broken) return Error{Remedy::retry, "database is locked", {}};
    return std::nullopt;
  };
  Runner runner(store_, broker_.opener(), clock_, options());
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return runner.stats().is_leader; }));
  broken = true;
  ASSERT_TRUE(wait_until([&] { return alarms_with("the message store fails") == 1; }));
  const std::int64_t id = store_.insert("a");
  broken = false;
  EXPECT_TRUE(wait_until([&] { return store_.state(id) == MessageState::SUCCESS; }));
}

TEST_F(RunnerTest, a_ring_beats_the_poll) {
  RunnerOptions slow = options();
  slow.engine.poll_busy = slow.engine.poll_idle = std::chrono::minutes(5);
  slow.doorbell = "relay runner test " + std::to_string(::getpid());
  Runner runner(store_, broker_.opener(), clock_, slow);
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return runner.stats().is_leader; }));
  for (int i = 0; i < 20; ++i) {
    const std::int64_t id = store_.insert("a");
    ASSERT_TRUE(wait_until([&] {
      if (i % 2 == 0) {
        runner.ring();
      } else {
        ring_doorbell(slow.doorbell);
      }
      return store_.state(id) == MessageState::SUCCESS;
    }));
  }
}

TEST_F(RunnerTest, E5_rows_of_in_process_types_are_left_alone_for_the_grace) {
  store_.set_route(
      {.message_type = "s", .destination = "topic", .consumers = {}, .dispatch = Dispatch::sync});
  const std::int64_t by_sender = store_.insert("s");
  const std::int64_t by_relay = store_.insert("s");
  RunnerOptions held = options();
  held.engine.grace = Millis(300);
  Runner runner(store_, broker_.opener(), clock_, held);
  const Steady started = clock_.now();
  ASSERT_TRUE(runner.start().ok());
  ASSERT_TRUE(wait_until([&] { return runner.stats().is_leader; }));
  store_.set_state(by_sender, MessageState::SUCCESS);  // the sender was in time
  ASSERT_TRUE(wait_until([&] { return store_.state(by_relay) == MessageState::SUCCESS; }));
  EXPECT_GE(clock_.now() - started, Millis(300));
  EXPECT_EQ(broker_.copies(), (std::map<std::string, int>{{"test/s/m2", 1}}));
}

}  // namespace
}  // namespace waybill::relay
