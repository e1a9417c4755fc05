#include "brokers.hpp"

#include "waybill/brokers/embedded.hpp"
#include "waybill/brokers/kafka.hpp"

namespace order_points {
namespace {

bool is_kafka(const std::string& queue) {
  return queue.starts_with("kafka://");
}

waybill::kafka::Options kafka_at(const std::string& url) {
  waybill::kafka::Options options;
  options.brokers = url;
  options.publish_timeout = std::chrono::seconds(3);  // a lost answer shows soon
  return options;
}

}  // namespace

waybill::Result<std::unique_ptr<waybill::Publisher>> open_publisher(const std::string& queue) {
  if (is_kafka(queue)) return waybill::kafka::open_publisher(kafka_at(queue));
  return waybill::embedded::open_publisher({.path = queue});
}

waybill::Result<std::unique_ptr<waybill::Subscriber>> open_subscriber(const std::string& queue,
                                                                      const std::string& topic,
                                                                      const std::string& group) {
  if (is_kafka(queue)) {
    return waybill::kafka::open_subscriber(kafka_at(queue),
                                           {.topic = topic, .group = group, .member = group});
  }
  return waybill::embedded::open_subscriber({.path = queue},
                                            {.topic = topic, .group = group, .member = group});
}

}  // namespace order_points
