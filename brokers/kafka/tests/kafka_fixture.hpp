// A topic of its own on a running server, and small helpers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/brokers/kafka.hpp"
#include "waybill/testing/broker_conformance.hpp"
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

  kafka::Options options;
  std::string topic;
};

[[nodiscard]] Server shared_kafka();

// A server that belongs to one test, in a folder of its own.
class OwnKafka {
 public:
  // With more server properties in the file `properties`, unless that is empty.
  explicit OwnKafka(const std::string& properties = {});
  [[nodiscard]] std::string url() const { return server_.url(); }
  void start() const { server_.start(); }
  void kill() const { server_.kill(); }
  void suspend() const { signal("STOP"); }
  void resume() const { signal("CONT"); }
  // Comes back empty, on the same port.
  void wipe_and_start() const;

 private:
  void signal(const std::string& name) const;

  std::string folder_;
  Server server_;
};

// Creates a topic of one partition with settings, or throws.
void create_topic(const kafka::Options& options, const std::string& topic,
                  const std::map<std::string, std::string>& settings);
void delete_topic(const kafka::Options& options, const std::string& topic);

// Where the group stands in a partition; negative if nowhere.
[[nodiscard]] std::int64_t committed(const kafka::Options& options, const std::string& topic,
                                     const std::string& group, std::int32_t partition);

[[nodiscard]] std::string random_name(const std::string& prefix);

// Runs `command` in a shell; answers its output. Throws unless it ends with 0.
std::string run(const std::string& command);

// One message in flight with the tests' usual fields. The texts must outlive it.
[[nodiscard]] Outgoing message(std::uint64_t token, std::string_view topic, std::string_view id,
                               std::string_view body = {}, std::string_view key = {});

// Publishes one message; answers its outcome and reason.
struct Answer {
  PublishResult result = PublishResult::unknown;
  std::string reason;
  Millis took{0};
};
[[nodiscard]] Answer publish_one(Publisher& publisher, const Outgoing& outgoing,
                                 Millis patience = std::chrono::seconds(20));

// Publishes `count` messages "<prefix>/t/<i>" with `keys` keys; all must be acked.
void publish_many(Publisher& publisher, const std::string& topic, std::size_t count,
                  const std::string& prefix, std::size_t keys = 8);

// Deliveries until there are `count`, or `wait` is over.
[[nodiscard]] std::vector<Delivery> receive(Subscriber& subscriber, std::size_t count,
                                            Millis wait = std::chrono::seconds(20));
void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries,
            Settle how = Settle::ack);

}  // namespace waybill::testing
