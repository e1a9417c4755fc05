// An exchange with queues of its own on a running server.
#pragma once

#include <map>
#include <memory>
#include <string>

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
  ~RabbitmqFixture() override;

  [[nodiscard]] std::string destination() const override { return exchange + "/"; }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override;
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override;
  void crash(std::unique_ptr<Subscriber> subscriber) override;

  // Makes the exchange and the queue of a group.
  void declare(const std::string& group) const;
  [[nodiscard]] std::string queue_of(const std::string& group) const {
    return exchange + "-" + group;
  }

  rabbitmq::Options options;
  std::string exchange;

 private:
  std::map<std::string, bool> groups_;
};

[[nodiscard]] Server shared_rabbitmq();

// A server that belongs to one test, in a folder of its own.
class OwnRabbitmq {
 public:
  // With more configuration in the file `configuration`, unless that is empty.
  explicit OwnRabbitmq(const std::string& configuration = {});
  [[nodiscard]] std::string url() const { return server_.url(); }
  void start() const { server_.start(); }
  void stop() const { server_.stop(); }
  void kill() const { server_.kill(); }
  void suspend() const { signal("STOP"); }
  void resume() const { signal("CONT"); }
  // Comes back empty, on the same port.
  void wipe_and_start() const;
  // Its rabbitmqctl.
  void control(const std::string& arguments) const;

 private:
  void signal(const std::string& name) const;

  std::string folder_;
  Server server_;
};

}  // namespace waybill::testing
