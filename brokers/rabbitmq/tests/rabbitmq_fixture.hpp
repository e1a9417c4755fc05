// An exchange with queues of its own on a running server.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "waybill/brokers/rabbitmq.hpp"
#include "waybill/testing/broker_conformance.hpp"
#include "waybill/testing/broker_driver.hpp"
#include "waybill/testing/server.hpp"

namespace waybill::testing {

// A group is a queue bound to a fanout exchange. "points" is there from the beginning, so that
// everything can be routed.
class RabbitmqFixture final : public BrokerFixture {
 public:
  // On the server of all tests, or on another.
  RabbitmqFixture();
  explicit RabbitmqFixture(const std::string& url);
  ~RabbitmqFixture() override;  // deletes its queues, which are costly to keep

  [[nodiscard]] std::string destination() const override { return exchange + "/"; }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override;
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override;
  void crash(std::unique_ptr<Subscriber> subscriber) override;
  // A missing exchange, one without a binding, and a missing queue.
  [[nodiscard]] std::vector<std::string> missing_destinations() override;
  void create(const std::string& destination) override;
  [[nodiscard]] std::unique_ptr<Publisher> open_refused_publisher() override;

  // Makes the exchange and the queue of a group.
  void declare(const std::string& group);
  [[nodiscard]] std::string queue_of(const std::string& group) const {
    return exchange + "-" + group;
  }

  rabbitmq::Options options;
  std::string exchange;

 private:
  void apply(const rabbitmq::Topology& topology);

  std::set<std::string> queues_;
};

[[nodiscard]] Server shared_rabbitmq();

// A server that belongs to one test, in a folder of its own, with more configuration in the file
// `configuration`, unless that is empty.
[[nodiscard]] Server own_rabbitmq(const std::string& configuration = {});

class HarmableRabbitmq final : public HarmableBroker {
 public:
  HarmableRabbitmq();
  [[nodiscard]] std::string destination() const override { return rabbitmq_.destination(); }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override {
    return rabbitmq_.open_publisher();
  }
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override {
    return rabbitmq_.open_subscriber(group, member);
  }
  void crash(std::unique_ptr<Subscriber> subscriber) override {
    rabbitmq_.crash(std::move(subscriber));
  }
  void create(const std::string& /*destination*/) override { rabbitmq_.declare("points"); }
  void break_down() override { server_.kill(); }
  void come_back() override { server_.start(); }
  void come_back_empty() override {
    server_.kill_and_empty();
    server_.start();
  }
  void stand_still() override { server_.suspend(); }
  void go_on() override { server_.resume(); }

 private:
  const Server server_ = own_rabbitmq();
  RabbitmqFixture rabbitmq_;
};

}  // namespace waybill::testing
