// A suite for every adapter whose broker is reached by TCP: what its publisher makes of a
// connection that breaks, at any message.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::testing {

// A destination of its own on a running broker, and how to reach it: directly or through a gate.
class GatedBroker {
 public:
  virtual ~GatedBroker() = default;
  [[nodiscard]] virtual GateProtocol protocol() const = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;  // on 127.0.0.1
  [[nodiscard]] virtual std::string destination() const = 0;
  // To 127.0.0.1:port, with a publish_timeout of 1 s and other waits as short as they can be.
  [[nodiscard]] virtual std::unique_ptr<Publisher> open_publisher(std::uint16_t port) = 0;
  // Everything in the destination, from its start, in order.
  [[nodiscard]] virtual std::unique_ptr<Subscriber> open_subscriber() = 0;
};

struct GatedBrokerUnderTest {
  std::string name;
  std::function<std::unique_ptr<GatedBroker>()> make;

  friend void PrintTo(const GatedBrokerUnderTest& tested, std::ostream* out) {
    *out << tested.name;
  }
};

// The tests, linked as objects; an adapter instantiates them:
//
//   INSTANTIATE_TEST_SUITE_P(Mine, LostAnswers, ::testing::Values(GatedBrokerUnderTest{"mine",
//   make}), [](const auto& tested) { return tested.param.name; });
class LostAnswers : public ::testing::TestWithParam<GatedBrokerUnderTest> {};

// A publisher through a gate, as the relay drives it.
class GatedPublisher {
 public:
  explicit GatedPublisher(GatedBroker& broker);

  void reconnect();  // with a new publisher
  PublishResult publish(const std::string& id);
  // Again until it is acked, for at most 30 s. Answers the outcomes.
  std::vector<PublishResult> publish_until_acked(const std::string& id);
  // The ids that the broker has, in order. Once.
  [[nodiscard]] std::vector<std::string> stored();

 private:
  GatedBroker& broker_;

 public:
  TcpGate gate;

 private:
  std::unique_ptr<Publisher> publisher_;
};

}  // namespace waybill::testing
