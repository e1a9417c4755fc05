#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "queue_fixture.hpp"

namespace waybill::testing {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(EmbeddedLogFile, leaves_a_foreign_database_as_it_is) {
  QueueFixture queue;
  queue.execute("CREATE TABLE customers (name TEXT)");
  const std::string before = read_file(queue.options.path);
  const auto publisher = embedded::open_publisher(queue.options);
  ASSERT_FALSE(publisher.ok());
  EXPECT_EQ(publisher.error().remedy, Remedy::fix_call);
  EXPECT_NE(publisher.error().to_string().find("no waybill queue"), std::string::npos);
  EXPECT_EQ(read_file(queue.options.path), before);
  EXPECT_FALSE(std::filesystem::exists(queue.options.path + "-wal"));
}

TEST(EmbeddedLogFile, refuses_the_version_of_another_program) {
  QueueFixture queue;
  publish_many(*queue.open_publisher(), "orders", 1, "v");
  queue.execute("PRAGMA user_version = 7");
  const auto publisher = embedded::open_publisher(queue.options);
  ASSERT_FALSE(publisher.ok());
  EXPECT_NE(publisher.error().to_string().find("version 7"), std::string::npos);
}

TEST(EmbeddedLogFile, refuses_options_out_of_bounds_and_names_them) {
  const auto refused = [](auto change) {
    embedded::Options options;
    options.path = "/tmp/never-created";
    change(options);
    const auto publisher = embedded::open_publisher(options);
    return publisher.ok() ? std::string() : publisher.error().to_string();
  };
  using O = embedded::Options;
  EXPECT_NE(refused([](O& o) { o.path.clear(); }).find("path"), std::string::npos);
  EXPECT_NE(refused([](O& o) { o.partitions = 65; }).find("partitions"), std::string::npos);
  EXPECT_NE(refused([](O& o) { o.window_max = 0; }).find("window_max"), std::string::npos);
  EXPECT_NE(refused([](O& o) { o.unsettled_max = 0; }).find("unsettled_max"), std::string::npos);
  EXPECT_NE(refused([](O& o) { o.lease_ttl = Millis(1); }).find("lease_ttl"), std::string::npos);
  EXPECT_NE(refused([](O& o) { o.body_bytes_max = std::size_t{1} << 30; }).find("body_bytes_max"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists("/tmp/never-created"));
}

TEST(EmbeddedLogFile, may_be_created_by_many_at_once) {
  for (int round = 0; round < 10; ++round) {
    QueueFixture queue;
    std::vector<std::string> errors(8);
    std::vector<std::thread> openers;
    for (std::string& error : errors) {
      openers.emplace_back([&] {
        const auto publisher = embedded::open_publisher(queue.options);
        if (!publisher) error = publisher.error().to_string();
      });
    }
    for (std::thread& opener : openers) opener.join();
    for (const std::string& error : errors) EXPECT_EQ(error, "");
  }
}

TEST(EmbeddedLogFile, a_folder_that_does_not_exist_is_named_in_the_error) {
  embedded::Options options;
  options.path = "/nonexistent/folder/queue.db";
  options.busy_timeout = Millis(0);
  const auto publisher = embedded::open_publisher(options);
  ASSERT_FALSE(publisher.ok());
  EXPECT_NE(publisher.error().to_string().find("/nonexistent/folder/queue.db"), std::string::npos);
}

}  // namespace
}  // namespace waybill::testing
