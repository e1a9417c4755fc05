#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>

#include "queue_fixture.hpp"

namespace waybill::testing {
namespace {

// queue_worker as a child process whose lines are read one by one.
class Worker {
 public:
  Worker(const char* job, const std::string& file, const char* name) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    const char* arguments[] = {WAYBILL_QUEUE_WORKER, job, file.c_str(), name, nullptr};
    const int failed = posix_spawn(&process_, WAYBILL_QUEUE_WORKER, &actions, nullptr,
                                   const_cast<char* const*>(arguments), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
    if (failed != 0 || output_ == nullptr) throw std::runtime_error("no worker");
  }
  ~Worker() {
    kill();
    fclose(output_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The next line, or an empty one when the process has ended and all is read.
  std::string read_line() {
    char line[256];
    if (fgets(line, sizeof line, output_) == nullptr) return {};
    std::string text(line);
    if (!text.ends_with('\n')) return {};  // cut by the kill
    text.pop_back();
    return text;
  }

  void kill() {
    if (process_ == 0) return;
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

 private:
  pid_t process_ = 0;
  FILE* output_ = nullptr;
};

TEST(EmbeddedCrash, B3_what_was_acked_survives_kill_of_the_publisher_and_nothing_is_invented) {
  QueueFixture queue;
  std::set<std::string> acked;
  for (int round = 0; round < 5; ++round) {
    const std::string prefix = "round" + std::to_string(round);
    Worker worker("publish", queue.options.path, prefix.c_str());
    for (int line = 0; line < 50 + 37 * round; ++line) acked.insert(worker.read_line());
    worker.kill();
    for (std::string line = worker.read_line(); !line.empty(); line = worker.read_line()) {
      acked.insert(line);
    }
  }
  const auto subscriber = queue.open_subscriber("points", "a");
  std::set<std::string> stored;
  for (;;) {
    const auto deliveries = receive_once(*subscriber, Millis(500));
    if (deliveries.empty()) break;
    for (const Delivery& delivery : deliveries) {
      EXPECT_EQ(delivery.body, "body of " + delivery.message_id);
      stored.insert(delivery.message_id);
    }
    settle(*subscriber, deliveries);
  }
  EXPECT_TRUE(std::includes(stored.begin(), stored.end(), acked.begin(), acked.end()))
      << acked.size() << " acked, " << stored.size() << " stored";
  // At most the last batch of each round was written without its acknowledgement being heard.
  EXPECT_LE(stored.size(), acked.size() + 5 * 16);
}

TEST(EmbeddedCrash, C5_every_message_reaches_the_group_through_kills_of_its_members) {
  QueueFixture queue;
  publish_many(*queue.open_publisher(), "orders", 400, "k");
  std::set<std::string> seen;
  std::size_t deliveries = 0;
  for (int round = 0; round < 4; ++round) {
    Worker worker("consume", queue.options.path, "points");
    for (int line = 0; line < 60; ++line) {
      seen.insert(worker.read_line());
      ++deliveries;
    }
    worker.kill();
    for (std::string line = worker.read_line(); !line.empty(); line = worker.read_line()) {
      seen.insert(line);
      ++deliveries;
    }
  }
  const auto heir = queue.open_subscriber("points", "heir");
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (seen.size() < 400 && std::chrono::steady_clock::now() < until) {
    const auto batch = receive_once(*heir, Millis(200));
    for (const Delivery& delivery : batch) seen.insert(delivery.message_id);
    deliveries += batch.size();
    settle(*heir, batch);
  }
  EXPECT_EQ(seen.size(), 400U);
  // Each kill repeats no more than what was unsettled.
  EXPECT_LE(deliveries, 400U + 4 * 7);
}

TEST(EmbeddedCrash, partitions_of_a_killed_member_are_taken_long_before_its_lease_ends) {
  QueueFixture queue;
  queue.options.lease_ttl = std::chrono::seconds(60);
  publish_many(*queue.open_publisher(), "orders", 40, "d");
  const auto heir = queue.open_subscriber("points", "heir");
  Worker worker("consume", queue.options.path, "points");
  std::set<std::string> seen;
  const auto collect = [&](Millis wait) {
    for (const Delivery& delivery : receive_once(*heir, wait)) seen.insert(delivery.message_id);
  };
  // Until the worker has partitions of its own, which it needs a heartbeat of the heir for.
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (queue.number("SELECT COUNT(*) FROM cursor WHERE holder LIKE 'worker%'") < 2 &&
         std::chrono::steady_clock::now() < until) {
    settle(*heir, receive_once(*heir, Millis(20)));
  }
  publish_many(*queue.open_publisher(), "orders", 40, "e");
  worker.kill();
  const Steady killed = std::chrono::steady_clock::now();
  while (queue.number("SELECT COUNT(*) FROM cursor WHERE holder LIKE 'worker%'") > 0 &&
         std::chrono::steady_clock::now() < until) {
    collect(Millis(20));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(5));
}

TEST(EmbeddedCrash, E1_a_member_that_is_stopped_loses_its_partitions_and_settles_nothing_later) {
  QueueFixture queue;
  publish_many(*queue.open_publisher(), "orders", 40, "s");
  auto zombie = queue.open_subscriber("points", "zombie");
  const auto old = receive_once(*zombie, std::chrono::seconds(5));
  ASSERT_EQ(old.size(), 40U);
  const auto heir = queue.open_subscriber("points", "heir");
  std::set<std::string> seen;
  const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (seen.size() < 40 && std::chrono::steady_clock::now() < until) {
    for (const Delivery& delivery : receive_once(*heir, Millis(100)))
      seen.insert(delivery.message_id);
  }
  ASSERT_EQ(seen.size(), 40U);
  // The zombie wakes up and settles what others own now: the fence keeps the cursor in its place.
  settle(*zombie, old);
  EXPECT_EQ(queue.number("SELECT MAX(cursor) FROM cursor"), 0);
}

}  // namespace
}  // namespace waybill::testing
