// How tests drive a publisher or a subscriber: one message, many, under load.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::testing {

[[nodiscard]] std::string random_name(const std::string& prefix);

// Runs `command` in a shell; answers its output. Throws unless it ends with 0.
std::string run(const std::string& command);

// One message in flight with the tests' usual fields. The texts must outlive it.
[[nodiscard]] Outgoing message(std::uint64_t token, std::string_view destination,
                               std::string_view id, std::string_view body = {},
                               std::string_view key = {});

// Publishes one message; answers its outcome and reason.
struct Answer {
  PublishResult result = PublishResult::unknown;
  std::string reason;
  Millis took{0};
};
[[nodiscard]] Answer publish_one(Publisher& publisher, const Outgoing& outgoing,
                                 Millis patience = std::chrono::seconds(20));

// Publishes it again until it is acked; if that does not come in time, says what came instead.
[[nodiscard]] ::testing::AssertionResult heals(Publisher& publisher, const Outgoing& outgoing,
                                               Millis patience);

// Publishes `count` messages "<prefix>/t/<i>" with `keys` keys; all must be acked.
void publish_many(Publisher& publisher, const std::string& destination, std::size_t count,
                  const std::string& prefix, std::size_t keys = 8);

// Deliveries until there are `count`, or `wait` is over.
[[nodiscard]] std::vector<Delivery> receive(Subscriber& subscriber, std::size_t count,
                                            Millis wait = std::chrono::seconds(20));
void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries,
            Settle how = Settle::ack);

// Numbered messages of some keys, each key with one message in flight, repeated until acked: what a
// relay does with an ordered type.
class Load final : public OutcomeSink {
 public:
  Load(std::string destination, int keys, int per_key);

  // Submits what may go and polls for 100 ms at most.
  void step(Publisher& publisher);
  void on_outcome(const PublishOutcome& outcome) override;
  [[nodiscard]] std::size_t size() const {
    return lanes_.size() * static_cast<std::size_t>(per_key_);
  }

  // Fails the test if a message came before its turn.
  void note(const std::vector<Delivery>& deliveries);
  [[nodiscard]] bool all_arrived() const;

  std::size_t acked = 0;
  std::size_t failed = 0;

 private:
  struct Lane {
    std::string key;
    std::string id;
    int next = 0;
    bool in_flight = false;
    int arrived = 0;
  };
  const std::string destination_;
  const int per_key_;
  std::vector<Lane> lanes_;
};

}  // namespace waybill::testing
