// The README's example, compiled and run.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "shop.hpp"
#include "waybill/confirm/sender.hpp"

namespace waybill::confirm::testing {
namespace {

std::string read_without_spaces(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  std::string bytes = text.str();
  std::erase_if(bytes, [](char c) { return c == ' ' || c == '\n'; });
  return bytes;
}

TEST(Readme, its_example_confirms_a_message) {
  Shop shop;
  shop.add("A");
  shop.consume(id_of("A"));
  MessageStore& store = shop.store();
  InboxStore& inbox_store = shop.inbox();
  const std::string secret = "0123456789abcdef0123456789abcdef";

  // The producer.
  auto keys = KeyRing::make({{"points-2026", "points", secret}});
  if (!keys) throw std::runtime_error(keys.error().to_string());
  Endpoint endpoint(store, *keys, {});

  // The consumer.
  const Post post = [&](const Request& request) -> Result<Reply> {
    return endpoint.handle(request);  // over HTTP in real life
  };
  Sender sender(inbox_store, post,
                {.consumer = "points", .key = {"points-2026", "points", secret}});
  if (const Status started = sender.start(); !started) {
    throw std::runtime_error(started.error().to_string());
  }
  sender.ring();  // after each commit

  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (sender.stats().confirmed == 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(Millis(1));
  }
  EXPECT_EQ(sender.stats().confirmed, 1U);
  EXPECT_EQ(shop.state_of("A"), "SUCCESS");
}

TEST(Readme, its_example_is_this_one) {
  const std::string folder = WAYBILL_CONFIRM_FOLDER;
  const std::string readme = read_without_spaces(folder + "/README.md");
  const std::string begin = "```cpp";
  const std::size_t at = readme.find(begin);
  ASSERT_NE(at, std::string::npos);
  const std::size_t code = at + begin.size();
  const std::string example = readme.substr(code, readme.find("```", code) - code);
  ASSERT_FALSE(example.empty());
  const std::string here = read_without_spaces(folder + "/tests/readme_test.cpp");
  EXPECT_NE(here.find(example), std::string::npos) << example;
}

}  // namespace
}  // namespace waybill::confirm::testing
