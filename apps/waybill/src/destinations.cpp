#include "destinations.hpp"

#include <fmt/format.h>

#include "address.hpp"
#include "connections.hpp"

namespace waybill::cli {
namespace {

Result<std::string> queue_url(const Config& config, std::string_view destination) {
  const auto own = config.destinations.urls.find(std::string(destination));
  const std::string& url =
      own != config.destinations.urls.end() ? own->second : config.destinations.fallback;
  if (!url.empty()) return url;
  return Error{Remedy::fix_call, fmt::format("destination '{}' has no address", destination),
               fmt::format("write [destinations.\"{}\"] url = \"queue:///absolute/path\", "
                           "or a default in [destinations]",
                           destination)};
}

}  // namespace

Result<BrokerOptions> broker_options(const Config& config, std::string_view destination) {
  const Result<std::string> url = queue_url(config, destination);
  if (!url) return url.error();
  const Result<std::string> address = parse_queue_url(*url);
  if (!address) return address.error();
  if (is_kafka_url(*url)) {
    kafka::Options options;
    options.brokers = *address;
    if (config.relay.window) options.window_max = static_cast<std::uint32_t>(*config.relay.window);
    return BrokerOptions(options);
  }
  embedded::Options options;
  options.path = *address;
  return BrokerOptions(options);
}

Result<embedded::Options> existing_queue(const Config& config, std::string_view destination) {
  const Result<BrokerOptions> broker = broker_options(config, destination);
  if (!broker) return broker.error();
  const auto* queue = std::get_if<embedded::Options>(&*broker);
  if (queue == nullptr) {
    return Error{Remedy::fix_call,
                 fmt::format("destination '{}' is no embedded queue", destination),
                 "look at it with its broker's own tools, as kcat"};
  }
  if (!is_missing(queue->path)) return *queue;
  return Error{Remedy::fix_call, fmt::format("no such file: {}", queue->path),
               "the first publish creates it; is the path right?"};
}

OpenPublisher publishers_of(const Config& config) {
  return [config](std::string_view destination) -> Result<std::unique_ptr<Publisher>> {
    const Result<BrokerOptions> broker = broker_options(config, destination);
    if (!broker) return broker.error();
    return std::visit([](const auto& own) { return open_publisher(own); }, *broker);
  };
}

Status check_topology(const BrokerOptions& broker, std::string_view destination) {
  const auto* cluster = std::get_if<kafka::Options>(&broker);
  if (cluster == nullptr) return {};
  return kafka::check_topology(*cluster, {.topic = std::string(destination)});
}

Status apply_topology(const BrokerOptions& broker, std::string_view destination) {
  const auto* cluster = std::get_if<kafka::Options>(&broker);
  if (cluster == nullptr) return {};
  return kafka::apply_topology(*cluster, {.topic = std::string(destination)});
}

}  // namespace waybill::cli
