// One consumer over a scratch database and a fake broker.
#pragma once

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "consumer_database.hpp"
#include "fake_subscriber.hpp"
#include "waybill/inbox/consumer.hpp"

namespace waybill::inbox::testing {

using TestConsumer = Consumer<TestConnection>;

// Writes the effect that the tests count.
inline HandlerResult write_effect(TestConnection& connection, const Delivery& delivery) {
  const Value values[] = {std::string_view(delivery.message_id)};
  (void)select(connection.database.get(), {"INSERT INTO effect VALUES (?1)", values});
  connection.at_boundary(Boundary::in_handler);
  return HandlerResult::done();
}

// Waits that do not slow the tests down.
inline ConsumerOptions quick_options() {
  ConsumerOptions options;
  options.consumer = "points";
  options.retry_wait = Millis(1);
  options.retry_wait_max = Millis(4);
  options.later_wait = Millis(1);
  options.receive_wait = Millis(50);
  options.crashes_max = 0;  // these stores keep no attempts
  return options;
}

class ConsumerTest : public ::testing::Test {
 protected:
  ConsumerTest() {
    create_tables(path_);
    connection_.database = open_sqlite(path_);
    options_ = quick_options();
    options_.ring = [this] { ++rings_; };
    options_.log = [this](LogLevel level, std::string_view text) {
      logged_.emplace_back(level, std::string(text));
    };
  }

  void deliver(std::vector<Delivery> deliveries) {
    acks_.emplace(deliveries.size());
    subscriber_.emplace(std::move(deliveries), *acks_);
  }

  // One receive and what comes of it.
  ConsumerStats run_once(Handler<TestConnection> handler) {
    TestConsumer consumer(connection_, store_, *subscriber_, options_, std::move(handler));
    EXPECT_TRUE(consumer.run_once(std::stop_token{}, Millis(0)).ok());
    return consumer.stats();
  }

  [[nodiscard]] std::int64_t count(const std::string& from) const {
    return number(path_, "SELECT count(*) FROM " + from);
  }

  [[nodiscard]] bool has_logged(LogLevel level, std::string_view part) const {
    for (const auto& [logged_level, text] : logged_) {
      if (logged_level == level && text.find(part) != std::string::npos) return true;
    }
    return false;
  }

  ScratchFolder folder_;
  std::string path_ = folder_.file("points.db");
  TestConnection connection_;
  TestInboxStore store_{path_};
  std::optional<Acks> acks_;
  std::optional<FakeSubscriber> subscriber_;
  ConsumerOptions options_;
  int rings_ = 0;
  std::vector<std::pair<LogLevel, std::string>> logged_;
};

}  // namespace waybill::inbox::testing
