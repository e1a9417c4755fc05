#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "faulty_disk.hpp"
#include "queue_fixture.hpp"

namespace waybill::testing {
namespace {

using Db = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Db open_database(const std::string& path) {
  sqlite3* raw = nullptr;
  if (sqlite3_open(path.c_str(), &raw) != SQLITE_OK) throw std::runtime_error("open");
  return {raw, &sqlite3_close};
}

TEST(EmbeddedPublisher, is_unreachable_while_another_process_holds_the_file_and_then_goes_on) {
  QueueFixture queue;
  queue.options.busy_timeout = Millis(50);
  const auto publisher = queue.open_publisher();
  const Db other = open_database(queue.options.path);
  ASSERT_EQ(sqlite3_exec(other.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const Answer busy = publish_one(*publisher, message(1, "orders", "a/t/1"));
  EXPECT_EQ(busy.result, PublishResult::unreachable) << busy.reason;
  EXPECT_FALSE(busy.reason.empty());
  ASSERT_EQ(sqlite3_exec(other.get(), "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(publish_one(*publisher, message(2, "orders", "a/t/1")).result, PublishResult::acked);
  EXPECT_EQ(queue.number("SELECT COUNT(*) FROM log"), 1);
}

TEST(EmbeddedPublisher, waits_for_a_writer_that_is_soon_done) {
  QueueFixture queue;
  const auto publisher = queue.open_publisher();
  const Db other = open_database(queue.options.path);
  ASSERT_EQ(sqlite3_exec(other.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  std::thread writer([&] { sqlite3_exec(other.get(), "COMMIT", nullptr, nullptr, nullptr); });
  EXPECT_EQ(publish_one(*publisher, message(1, "orders", "a/t/1")).result, PublishResult::acked);
  writer.join();
}

TEST(EmbeddedPublisher, is_unreachable_on_a_full_disk_and_writes_nothing) {
  QueueFixture queue;
  FaultyDisk disk;
  {
    const auto publisher = queue.open_publisher();
    ASSERT_EQ(publish_one(*publisher, message(1, "orders", "a/t/1")).result, PublishResult::acked);
    disk.set(DiskFault::full);
    const Answer full = publish_one(*publisher, message(2, "orders", "a/t/2"));
    EXPECT_EQ(full.result, PublishResult::unreachable) << full.reason;
    EXPECT_NE(full.reason.find("space"), std::string::npos) << full.reason;
    disk.set(DiskFault::none);
    EXPECT_EQ(queue.number("SELECT COUNT(*) FROM log"), 1);
    EXPECT_EQ(publish_one(*publisher, message(3, "orders", "a/t/3")).result, PublishResult::acked);
    EXPECT_EQ(queue.number("SELECT COUNT(*) FROM log"), 2);
  }
}

TEST(EmbeddedPublisher, does_not_know_what_a_failed_sync_left_behind) {
  QueueFixture queue;
  FaultyDisk disk;
  {
    const auto publisher = queue.open_publisher();
    ASSERT_EQ(publish_one(*publisher, message(1, "orders", "a/t/1")).result, PublishResult::acked);
    disk.set(DiskFault::sync_fails);
    const Answer failed = publish_one(*publisher, message(2, "orders", "a/t/2"));
    EXPECT_EQ(failed.result, PublishResult::unknown) << failed.reason;
    disk.set(DiskFault::none);
    EXPECT_EQ(publish_one(*publisher, message(3, "orders", "a/t/2")).result, PublishResult::acked);
  }
}

TEST(EmbeddedPublisher, topics_that_may_not_be_created_are_destination_down) {
  QueueFixture queue;
  queue.options.create_topics = false;
  const auto publisher = queue.open_publisher();
  EXPECT_EQ(publish_one(*publisher, message(1, "orders", "a/t/1")).result,
            PublishResult::destination_down);
  QueueFixture other;
  Outgoing unnamed = message(1, "orders", "a/t/1");
  unnamed.destination = "";
  EXPECT_EQ(publish_one(*other.open_publisher(), unnamed).result, PublishResult::destination_down);
}

TEST(EmbeddedPublisher, a_topic_created_in_a_failed_transaction_is_created_again) {
  QueueFixture queue;
  FaultyDisk disk;
  const auto publisher = queue.open_publisher();
  disk.set(DiskFault::full);
  EXPECT_EQ(publish_one(*publisher, message(1, "orders", "a/t/1")).result,
            PublishResult::unreachable);
  disk.set(DiskFault::none);
  EXPECT_EQ(publish_one(*publisher, message(2, "orders", "a/t/1")).result, PublishResult::acked);
  const auto found = embedded::peek(queue.options, "orders", 0, 10);
  ASSERT_TRUE(found.ok()) << found.error().to_string();
  EXPECT_EQ(found->size(), 1U);
}

TEST(EmbeddedPublisher, close_keeps_its_deadline_with_a_busy_file) {
  QueueFixture queue;
  queue.options.busy_timeout = std::chrono::seconds(60);
  const auto publisher = queue.open_publisher();
  const Db other = open_database(queue.options.path);
  ASSERT_EQ(sqlite3_exec(other.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const Outgoing outgoing = message(1, "orders", "a/t/1");
  ASSERT_EQ(publisher->submit({&outgoing, 1}), 1U);
  OutcomeBook book;
  const Steady started = std::chrono::steady_clock::now();
  publisher->close(started + Millis(100), book);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10));
  EXPECT_EQ(book.outcomes[1], std::vector{PublishResult::unreachable});
}

TEST(EmbeddedPublisher, opens_a_file_that_was_wiped_anew) {
  QueueFixture queue;
  const auto publisher = queue.open_publisher();
  ASSERT_EQ(publish_one(*publisher, message(1, "orders", "a/t/1")).result, PublishResult::acked);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(queue.options.path + suffix);
  }
  EXPECT_EQ(publish_one(*publisher, message(2, "orders", "a/t/2")).result, PublishResult::acked);
  const auto subscriber = queue.open_subscriber("points", "a");
  EXPECT_EQ(ids_of(receive_once(*subscriber, std::chrono::seconds(10))),
            std::vector<std::string>{"a/t/2"});
}

TEST(EmbeddedPublisher, a_file_replaced_by_something_else_is_destination_down) {
  QueueFixture queue;
  const auto publisher = queue.open_publisher();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(queue.options.path + suffix);
  }
  std::ofstream(queue.options.path) << std::string(2000, '#');
  const Answer answer = publish_one(*publisher, message(1, "orders", "a/t/1"));
  EXPECT_EQ(answer.result, PublishResult::destination_down) << answer.reason;
}

TEST(EmbeddedPublisher, deletes_what_is_over_the_retention_and_keeps_the_rest) {
  QueueFixture queue;
  queue.options.clean_up_interval = Millis(1);
  {
    const auto publisher = queue.open_publisher();
    publish_many(*publisher, "orders", 3000, "old");
    queue.execute("UPDATE log SET published_at = published_at - 169 * 3600000000");
    publish_many(*publisher, "orders", 10, "new");
    OutcomeBook nothing;
    const Steady until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (queue.number("SELECT COUNT(*) FROM log") > 10 &&
           std::chrono::steady_clock::now() < until) {
      publisher->poll(std::chrono::steady_clock::now() + Millis(5), nothing);
    }
    publisher->poll(std::chrono::steady_clock::now() + Millis(50), nothing);
  }
  EXPECT_EQ(queue.number("SELECT COUNT(*) FROM log"), 10);
  const auto subscriber = queue.open_subscriber("points", "a");
  EXPECT_EQ(ids_of(receive_once(*subscriber, std::chrono::seconds(10))).at(0).substr(0, 3), "new");
}

}  // namespace
}  // namespace waybill::testing
