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
  bool order_per_key = true;         // messages of a key arrive in the order of their acks
  bool keeps_history = true;         // a new group begins with what was published before it
  bool keeps_copies = true;          // two messages with one id are two messages
  bool forgets_destinations = true;  // a wiped broker has none until create()
  Millis takeover_max{10000};        // from the death of a subscriber to the redelivery
};

// A fresh, empty broker with one destination. All members throw on trouble; a fixture implements
// what its broker can do, and the tests of the rest are skipped.
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

  // Destinations that lead nowhere yet, each in its own way.
  [[nodiscard]] virtual std::vector<std::string> missing_destinations() { return {}; }
  // Makes one that is missing, also the one of destination() after wipe().
  virtual void create(const std::string& /*destination*/) {}
  // With credentials that the broker refuses; they hold the text "wrong-secret". Null: it has none.
  [[nodiscard]] virtual std::unique_ptr<Publisher> open_refused_publisher() { return nullptr; }
};

// A broker that belongs to one test and may be harmed. Its publishers give a message up after 2 s
// at most.
class HarmableBroker : public BrokerFixture {
 public:
  virtual void break_down() = 0;       // without a word, as by SIGKILL
  virtual void come_back() = 0;        // with what it had acknowledged
  virtual void come_back_empty() = 0;  // as on a new disk; after break_down()
  virtual void stand_still() = 0;      // takes no step, but does not close anything
  virtual void go_on() = 0;
};

struct BrokerUnderTest {
  std::string name;
  BrokerFeatures features;
  std::function<std::unique_ptr<BrokerFixture>()> make;
  std::function<std::unique_ptr<HarmableBroker>()> make_harmable = nullptr;

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
// and BrokerFaultConformance likewise, with make_harmable.
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

// What holds while the broker is harmed. Each test ends by proving recovery: nothing acked is lost,
// every copy has the same id.
class BrokerFaultConformance : public ::testing::TestWithParam<BrokerUnderTest> {
 protected:
  void SetUp() override;

  [[nodiscard]] const BrokerFeatures& features() const { return GetParam().features; }

  std::unique_ptr<HarmableBroker> broker_;
  std::string destination_;
};

[[nodiscard]] std::vector<std::string> ids_of(const std::vector<Delivery>& deliveries);

}  // namespace waybill::testing
