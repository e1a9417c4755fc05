// A topic of its own on a running server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "waybill/brokers/kafka.hpp"
#include "waybill/testing/broker_conformance.hpp"
#include "waybill/testing/broker_driver.hpp"
#include "waybill/testing/server.hpp"

namespace waybill::testing {

class KafkaFixture final : public BrokerFixture {
 public:
  // On the server of all tests, or on another.
  explicit KafkaFixture(std::uint32_t partitions = 4);
  KafkaFixture(const std::string& url, std::uint32_t partitions);

  [[nodiscard]] std::string destination() const override { return topic; }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override;
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override;
  void crash(std::unique_ptr<Subscriber> subscriber) override;
  [[nodiscard]] std::vector<std::string> missing_destinations() override;
  void create(const std::string& destination) override;

  kafka::Options options;
  std::string topic;
};

[[nodiscard]] Server shared_kafka();

// A server that belongs to one test, in a folder of its own, with more server properties in the
// file `properties`, unless that is empty.
[[nodiscard]] Server own_kafka(const std::string& properties = {});

class HarmableKafka final : public HarmableBroker {
 public:
  HarmableKafka();
  [[nodiscard]] std::string destination() const override { return kafka_.topic; }
  [[nodiscard]] std::unique_ptr<Publisher> open_publisher() override {
    return kafka_.open_publisher();
  }
  [[nodiscard]] std::unique_ptr<Subscriber> open_subscriber(const std::string& group,
                                                            const std::string& member) override {
    return kafka_.open_subscriber(group, member);
  }
  void crash(std::unique_ptr<Subscriber> subscriber) override {
    kafka_.crash(std::move(subscriber));
  }
  void create(const std::string& destination) override { kafka_.create(destination); }
  void break_down() override { server_.kill(); }
  void come_back() override { server_.start(); }
  void come_back_empty() override {
    server_.kill_and_empty();
    server_.start();
  }
  void stand_still() override { server_.suspend(); }
  void go_on() override { server_.resume(); }

 private:
  const Server server_ = own_kafka();
  KafkaFixture kafka_;
};

// Creates a topic of one partition with settings, or throws.
void create_topic(const kafka::Options& options, const std::string& topic,
                  const std::map<std::string, std::string>& settings);
void delete_topic(const kafka::Options& options, const std::string& topic);

// Where the group stands in a partition; negative if nowhere.
[[nodiscard]] std::int64_t committed(const kafka::Options& options, const std::string& topic,
                                     const std::string& group, std::int32_t partition);

}  // namespace waybill::testing
