#include "brokers.hpp"

#include "waybill/brokers/embedded.hpp"
#include "waybill/brokers/kafka.hpp"
#include "waybill/brokers/rabbitmq.hpp"

namespace order_points {
namespace {

// A lost answer shows soon, and so does a connection that is dead without a word.
constexpr std::chrono::seconds kPublishTimeout{3};
constexpr std::chrono::seconds kHeartbeat{2};

bool is_kafka(const std::string& queue) {
  return queue.starts_with("kafka://");
}

waybill::kafka::Options kafka_at(const std::string& url) {
  waybill::kafka::Options options;
  options.brokers = url;
  options.publish_timeout = kPublishTimeout;
  return options;
}

bool is_rabbitmq(const std::string& queue) {
  return queue.starts_with("amqp");
}

waybill::rabbitmq::Options rabbitmq_at(const std::string& url) {
  waybill::rabbitmq::Options options;
  options.url = url;
  options.publish_timeout = kPublishTimeout;
  options.heartbeat = kHeartbeat;
  return options;
}

}  // namespace

waybill::Result<std::unique_ptr<waybill::Publisher>> open_publisher(const std::string& queue) {
  if (is_kafka(queue)) return waybill::kafka::open_publisher(kafka_at(queue));
  if (is_rabbitmq(queue)) return waybill::rabbitmq::open_publisher(rabbitmq_at(queue));
  return waybill::embedded::open_publisher({.path = queue});
}

waybill::Result<std::unique_ptr<waybill::Subscriber>> open_subscriber(const std::string& queue,
                                                                      const std::string& topic,
                                                                      const std::string& group,
                                                                      const std::string& instance) {
  if (is_kafka(queue)) {
    return waybill::kafka::open_subscriber(
        kafka_at(queue), {.topic = topic, .group = group, .member = group, .instance = instance});
  }
  // The topic is a queue, which has one group of readers.
  if (is_rabbitmq(queue)) {
    return waybill::rabbitmq::open_subscriber(rabbitmq_at(queue),
                                              {.queue = topic, .member = group});
  }
  return waybill::embedded::open_subscriber({.path = queue},
                                            {.topic = topic, .group = group, .member = group});
}

}  // namespace order_points
