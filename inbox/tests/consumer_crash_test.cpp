// Processes that die by SIGKILL, and consumers that meet over the same message.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>
#include <thread>

#include "consumer_fixture.hpp"

namespace waybill::inbox::testing {
namespace {

constexpr std::size_t kMessages = 12;
constexpr std::size_t kCopies = 10;
constexpr int kRunsMax = 200;

// Kills the process when `boundary` is reached for the `visit`-th time; 0 = never.
AtBoundary kill_at(Boundary boundary, int visit) {
  return [boundary, left = std::make_shared<int>(visit)](Boundary reached) {
    if (reached == boundary && --*left == 0) std::raise(SIGKILL);
  };
}

// Consumes in a process of its own until every copy is acked; answers whether it was killed.
bool run_process(const std::string& path, Acks& acks, const ConsumerOptions& options,
                 const std::vector<Delivery>& deliveries, const AtBoundary& at_boundary) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    TestConnection connection{open_sqlite(path), at_boundary};
    TestInboxStore store(path, at_boundary);
    FakeSubscriber subscriber(deliveries, acks, at_boundary);
    TestConsumer consumer(connection, store, subscriber, options, write_effect);
    bool worked = true;
    while (worked && !acks.all()) worked = consumer.run_once({}, Millis(0)).ok();
    _exit(worked ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return true;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return false;
}

class InboxCrash : public ::testing::TestWithParam<bool> {
 protected:
  InboxCrash() { create_tables(path_); }

  // Killed at `boundary` again and again, each time at a random visit, until everything is acked.
  void consume_with_kills(Boundary boundary, std::mt19937& random) {
    ConsumerOptions options = quick_options();
    options.batch_in_one_transaction = GetParam();
    options.batch_max = 16;
    Acks acks(kMessages * kCopies);
    const auto deliveries = make_deliveries(kMessages, kCopies);
    int kills = 0;
    for (int run = 0; run < kRunsMax && !acks.all(); ++run) {
      const int visit = kills < 8 ? std::uniform_int_distribution<int>(1, 4)(random) : 0;
      if (run_process(path_, acks, options, deliveries, kill_at(boundary, visit))) ++kills;
    }
    EXPECT_TRUE(acks.all());
    EXPECT_GE(kills, 1);
  }

  void expect_each_effect_once() {
    EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), static_cast<std::int64_t>(kMessages));
    EXPECT_EQ(number(path_, "SELECT count(DISTINCT message_id) FROM effect"),
              static_cast<std::int64_t>(kMessages));
    EXPECT_EQ(number(path_,
                     "SELECT count(*) FROM waybill_inbox JOIN effect USING (message_id)"
                     " WHERE verdict = 'done' AND confirmed_at IS NULL"),
              static_cast<std::int64_t>(kMessages));
  }

  ScratchFolder folder_;
  std::string path_ = folder_.file("points.db");
};

TEST_P(InboxCrash, I1_killed_at_each_boundary_with_ten_duplicates_each_effect_is_there_once) {
  const char* given = std::getenv("WAYBILL_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("WAYBILL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  for (int boundary = 0; boundary < kBoundaries; ++boundary) {
    SCOPED_TRACE("boundary " + std::to_string(boundary));
    // Closed again before the fork: SQLite's connections do not survive one.
    execute(open_sqlite(path_).get(), "DELETE FROM effect; DELETE FROM waybill_inbox");
    consume_with_kills(static_cast<Boundary>(boundary), random);
    expect_each_effect_once();
  }
}

TEST_P(InboxCrash, I4_killed_between_commit_and_ack_the_message_is_not_acked_and_not_lost) {
  ConsumerOptions options = quick_options();
  options.batch_in_one_transaction = GetParam();
  Acks acks(2);
  const auto deliveries = make_deliveries(2);
  ASSERT_TRUE(run_process(path_, acks, options, deliveries, kill_at(Boundary::before_settle, 1)));
  EXPECT_EQ(acks.count(), 0U);
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), 2);
  EXPECT_EQ(number(path_, "SELECT count(*) FROM waybill_inbox WHERE confirmed_at IS NULL"), 2);
  ASSERT_FALSE(run_process(path_, acks, options, deliveries, kill_at(Boundary::before_settle, 0)));
  EXPECT_TRUE(acks.all());
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), 2);
}

TEST_P(InboxCrash, I4_the_broker_hears_of_a_message_only_after_its_commit) {
  ConsumerOptions options = quick_options();
  options.batch_in_one_transaction = GetParam();
  Acks acks(2);
  ASSERT_TRUE(run_process(path_, acks, options, make_deliveries(2),
                          kill_at(Boundary::before_commit, GetParam() ? 1 : 2)));
  EXPECT_EQ(acks.count(), 0U);
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), GetParam() ? 0 : 1);
}

TEST_P(InboxCrash, I2_two_processes_with_the_same_messages_have_one_effect) {
  ConsumerOptions options = quick_options();
  options.batch_in_one_transaction = GetParam();
  options.batch_max = 7;
  const auto deliveries = make_deliveries(200);
  Acks first_acks(deliveries.size());
  Acks second_acks(deliveries.size());
  const pid_t first = fork();
  if (first == 0) {
    _exit(run_process(path_, first_acks, options, deliveries, [](Boundary) {}) ? 1 : 0);
  }
  EXPECT_FALSE(run_process(path_, second_acks, options, deliveries, [](Boundary) {}));
  int status = 0;
  ASSERT_EQ(waitpid(first, &status, 0), first);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(first_acks.all());
  EXPECT_TRUE(second_acks.all());
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), 200);
  EXPECT_EQ(number(path_, "SELECT count(DISTINCT message_id) FROM effect"), 200);
}

TEST_P(InboxCrash, I2_two_threads_with_the_same_messages_share_them_as_done_and_duplicate) {
  ConsumerOptions options = quick_options();
  options.batch_in_one_transaction = GetParam();
  options.batch_max = 7;
  const auto deliveries = make_deliveries(200);
  ConsumerStats stats[2];
  const auto consume = [&](ConsumerStats& result) {
    Acks acks(deliveries.size());
    TestConnection connection{open_sqlite(path_)};
    TestInboxStore store(path_);
    FakeSubscriber subscriber(deliveries, acks);
    TestConsumer consumer(connection, store, subscriber, options, write_effect);
    while (!acks.all() && consumer.run_once({}, Millis(0)).ok()) {
    }
    result = consumer.stats();
  };
  {
    std::jthread other([&] { consume(stats[0]); });
    consume(stats[1]);
  }
  EXPECT_EQ(stats[0].done + stats[1].done, 200U);
  EXPECT_EQ(stats[0].duplicates + stats[1].duplicates, 200U);
  EXPECT_EQ(number(path_, "SELECT count(*) FROM effect"), 200);
}

INSTANTIATE_TEST_SUITE_P(Transactions, InboxCrash, ::testing::Bool(), [](const auto& test) {
  return test.param ? std::string("one_per_batch") : std::string("one_per_message");
});

}  // namespace
}  // namespace waybill::inbox::testing
