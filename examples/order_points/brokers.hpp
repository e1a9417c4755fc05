// The one place where the example's services tell brokers apart.
#pragma once

#include <memory>
#include <string>

#include "waybill/error.hpp"
#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace order_points {

// What --queue takes.
inline constexpr const char* kQueueHelp =
    "the broker: a file of the embedded queue, kafka://… or amqp://…";

[[nodiscard]] waybill::Result<std::unique_ptr<waybill::Publisher>> open_publisher(
    const std::string& queue);

// A member of `group`, which gets every message of `topic`. Kafka: under an `instance` it has its
// partitions back at once after a crash.
[[nodiscard]] waybill::Result<std::unique_ptr<waybill::Subscriber>> open_subscriber(
    const std::string& queue, const std::string& topic, const std::string& group,
    const std::string& instance = {});

}  // namespace order_points
