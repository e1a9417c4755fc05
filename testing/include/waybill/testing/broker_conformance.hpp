// The conformance suite of brokers: what Publisher and Subscriber mean, as tests that every adapter
// must pass.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::testing {

// What a broker declares beyond publish and acknowledge. A test of what it does not declare is
// skipped.
struct BrokerFeatures {
  bool order_per_key = true;   // messages of a key arrive in the order of their acks
  bool keeps_history = true;   // a new group begins with what was published before it
  bool keeps_copies = true;    // two messages with one id are two messages
  Millis takeover_max{10000};  // from the death of a subscriber to the redelivery
};

// A fresh, empty broker with one destination. All members throw on trouble.
class BrokerFixture {
 public:
  virtual ~BrokerFixture() = default;
  // Where publishers of the suite send to.
  [[nodiscard]] virtual std::string destination() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Publisher> open_publisher() = 0;
  // A member of the group that consumes the destination.
  [[nodiscard]] virtual std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                                    const std::string& member) = 0;
  // Ends the subscriber as a crash would, without a word to the broker.
  virtual void crash(std::unique_ptr<Subscriber> subscriber) = 0;
};

struct BrokerUnderTest {
  std::string name;
  BrokerFeatures features;
  std::function<std::unique_ptr<BrokerFixture>()> make;

  friend void PrintTo(const BrokerUnderTest& tested, std::ostream* out) { *out << tested.name; }
};

// Keeps every outcome.
class OutcomeBook final : public OutcomeSink {
 public:
  void on_outcome(const PublishOutcome& outcome) override {
    outcomes[outcome.token].push_back(outcome.result);
    ++count;
  }

  std::map<std::uint64_t, std::vector<PublishResult>> outcomes;
  std::size_t count = 0;
};

// Instantiate it once per broker:
//   INSTANTIATE_TEST_SUITE_P(Embedded, BrokerConformance, ::testing::Values(BrokerUnderTest{
//       "embedded", {}, make}), [](const auto& tested) { return tested.param.name; });
class BrokerConformance : public ::testing::TestWithParam<BrokerUnderTest> {
 protected:
  struct Sent {
    std::string id;
    std::string key;
    std::string body;
  };

  void SetUp() override;

  // `count` messages with the ids "<prefix>/t/0…" and `keys` keys in turn.
  [[nodiscard]] static std::vector<Sent> messages(std::size_t count, const std::string& prefix,
                                                  std::size_t keys = 5);
  // The messages as Outgoing, tokens counting up from `first_token`. Views into `sent`.
  [[nodiscard]] std::vector<Outgoing> outgoing(const std::vector<Sent>& sent,
                                               std::uint64_t first_token = 1) const;
  // Publishes all with at most `window` in flight; every outcome must be `acked`, exactly once.
  void publish(const std::vector<Sent>& sent, std::size_t window = 1000);
  // Takes deliveries until there are `count`, or 10 s are over.
  [[nodiscard]] static std::vector<Delivery> take(Subscriber& subscriber, std::size_t count,
                                                  Millis wait = std::chrono::seconds(10));
  static void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries, Settle how);
  [[nodiscard]] const BrokerFeatures& features() const { return GetParam().features; }

  std::unique_ptr<BrokerFixture> broker_;
  std::unique_ptr<Publisher> publisher_;
  std::string destination_;
};

[[nodiscard]] std::vector<std::string> ids_of(const std::vector<Delivery>& deliveries);

}  // namespace waybill::testing
