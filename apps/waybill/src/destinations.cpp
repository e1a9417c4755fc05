#include "destinations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "address.hpp"
#include "connections.hpp"
#include "text_file.hpp"

namespace waybill::cli {
namespace {

// Publishes to `topic`, whatever the destination is called in the routes.
class PublisherTo final : public Publisher {
 public:
  PublisherTo(std::string topic, std::unique_ptr<Publisher> inner)
      : topic_(std::move(topic)), inner_(std::move(inner)) {}

  [[nodiscard]] PublisherTraits traits() const override { return inner_->traits(); }
  [[nodiscard]] std::size_t submit(std::span<const Outgoing> messages) override {
    renamed_.assign(messages.begin(), messages.end());
    for (Outgoing& message : renamed_) message.destination = topic_;
    return inner_->submit(renamed_);
  }
  void poll(Steady until, OutcomeSink& sink) override { inner_->poll(until, sink); }
  void wake() noexcept override { inner_->wake(); }
  void close(Steady deadline, OutcomeSink& sink) override { inner_->close(deadline, sink); }

 private:
  const std::string topic_;
  const std::unique_ptr<Publisher> inner_;
  std::vector<Outgoing> renamed_;
};

Result<Config::Destination> configured(const Config& config, std::string_view destination) {
  const auto own = config.destinations.named.find(std::string(destination));
  if (own != config.destinations.named.end()) return own->second;
  if (!config.destinations.fallback.url.empty()) return config.destinations.fallback;
  return Error{Remedy::fix_call, fmt::format("destination '{}' has no address", destination),
               fmt::format("write [destinations.\"{}\"] url = \"queue:///absolute/path\", "
                           "or a default in [destinations]",
                           destination)};
}

// Without the line's end of a file.
Result<std::string> password_of(const Config::Destination& destination) {
  if (!destination.password_env.empty()) {
    const char* const value = std::getenv(destination.password_env.c_str());
    if (value != nullptr && *value != '\0') return std::string(value);
    return Error{Remedy::fix_call,
                 fmt::format("environment variable {} is not set", destination.password_env),
                 fmt::format("it must hold the password of '{}'", destination.user)};
  }
  Result<std::string> text = read_text_file(destination.password_file);
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (!text->empty()) return text;
  return Error{Remedy::fix_call, fmt::format("{} is empty", destination.password_file),
               fmt::format("it must hold the password of '{}'", destination.user)};
}

WireFormat format_of(const Config::Destination& destination) {
  return destination.format == "plain" ? WireFormat::plain : WireFormat::cloud_events;
}

Result<kafka::Options> kafka_options(const Config& config, const Config::Destination& destination) {
  kafka::Options options;
  options.brokers = destination.url;
  options.format = format_of(destination);
  if (config.relay.window) options.window_max = static_cast<std::uint32_t>(*config.relay.window);
  if (destination.tls || !destination.ca_file.empty() || !destination.certificate_file.empty()) {
    options.tls =
        kafka::Tls{destination.ca_file, destination.certificate_file, destination.key_file};
  }
  if (destination.user.empty()) return options;
  Result<std::string> password = password_of(destination);
  if (!password) return password.error();
  options.sasl.emplace();
  options.sasl->user = destination.user;
  options.sasl->password = std::move(*password);
  if (!destination.sasl_mechanism.empty()) options.sasl->mechanism = destination.sasl_mechanism;
  return options;
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

Result<rabbitmq::Options> rabbitmq_options(const Config& config,
                                           const Config::Destination& destination) {
  rabbitmq::Options options;
  options.url = destination.url;
  options.format = format_of(destination);
  options.tls.ca_file = destination.ca_file;
  options.tls.certificate_file = destination.certificate_file;
  options.tls.key_file = destination.key_file;
  if (config.relay.window) options.window_max = static_cast<std::uint32_t>(*config.relay.window);
  if (destination.user.empty()) return options;
  const Result<std::string> password = password_of(destination);
  if (!password) return password.error();
  options.url.insert(
      options.url.find("://") + 3,
      fmt::format("{}:{}@", percent_encoded(destination.user), percent_encoded(*password)));
  return options;
}

// "exchange/routing key", as the adapter divides it; without an exchange the queue's own name.
struct RabbitmqPlace {
  std::string exchange;
  std::string key;
};

RabbitmqPlace place_of(const std::string& topic) {
  const std::size_t slash = topic.find('/');
  if (slash == std::string::npos) return {"", topic};
  return {topic.substr(0, slash), topic.substr(slash + 1)};
}

// One description for each queue, so that each is made or looked at.
std::vector<rabbitmq::Topology> topologies_of(const Broker& broker) {
  const RabbitmqPlace place = place_of(broker.topic);
  rabbitmq::Topology topology;
  topology.exchange = place.exchange;
  if (place.exchange.empty()) topology.queue = place.key;
  if (broker.queues.empty()) return {topology};
  std::vector<rabbitmq::Topology> each;
  for (const std::string& queue : broker.queues) {
    each.push_back(topology);
    each.back().queue = queue;
    each.back().bindings = {place.key.empty() ? "#" : place.key};
  }
  return each;
}

// `at_kafka` and `at_rabbitmq` are the adapters' functions of one name.
template <class AtKafka, class AtRabbitmq>
Status with_topology(const Broker& broker, AtKafka at_kafka, AtRabbitmq at_rabbitmq) {
  if (const auto* cluster = std::get_if<kafka::Options>(&broker.options)) {
    return at_kafka(*cluster, {.topic = broker.topic});
  }
  if (const auto* server = std::get_if<rabbitmq::Options>(&broker.options)) {
    for (const rabbitmq::Topology& topology : topologies_of(broker)) {
      if (const Status status = at_rabbitmq(*server, topology); !status) return status;
    }
  }
  return {};
}

}  // namespace

Result<Broker> broker_of(const Config& config, std::string_view destination) {
  const Result<Config::Destination> found = configured(config, destination);
  if (!found) return found.error();
  const Result<std::string> address = parse_queue_url(found->url);
  if (!address) return address.error();
  Broker broker;
  broker.topic = found->topic.empty() ? destination : found->topic;
  broker.queues = found->queues;
  if (is_kafka_url(found->url)) {
    Result<kafka::Options> options = kafka_options(config, *found);
    if (!options) return options.error();
    broker.options = std::move(*options);
  } else if (is_amqp_url(found->url)) {
    Result<rabbitmq::Options> options = rabbitmq_options(config, *found);
    if (!options) return options.error();
    broker.options = std::move(*options);
  } else {
    embedded::Options options;
    options.path = *address;
    broker.options = options;
  }
  return broker;
}

Status check_destinations(const Config& config) {
  std::vector<std::string> names;
  if (!config.destinations.fallback.url.empty()) names.emplace_back("default");
  for (const auto& [name, destination] : config.destinations.named) names.push_back(name);
  for (const std::string& name : names) {
    if (const Result<Broker> broker = broker_of(config, name); !broker) {
      return Error{broker.error().remedy,
                   fmt::format("destinations.{}: {}", name, broker.error().text),
                   broker.error().hint};
    }
  }
  return {};
}

Result<std::vector<std::string>> needed_destinations(const Config& config,
                                                     ConsoleSession& session) {
  const Result<std::vector<Route>> routes = session.routes();
  if (!routes) return routes.error();
  std::vector<std::string> names;
  for (const Route& route : *routes) names.push_back(route.destination);
  if (!config.confirm.reply_destination.empty()) names.push_back(config.confirm.reply_destination);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<embedded::Options> existing_queue(const Config& config, std::string_view destination,
                                         std::string_view hint) {
  const Result<Broker> broker = broker_of(config, destination);
  if (!broker) return broker.error();
  const auto* queue = std::get_if<embedded::Options>(&broker->options);
  if (queue == nullptr) {
    return Error{Remedy::fix_call,
                 fmt::format("{} is no embedded queue", configured(config, destination)->url),
                 std::string(hint)};
  }
  if (!is_missing(queue->path)) return *queue;
  return Error{Remedy::fix_call, fmt::format("no such file: {}", queue->path),
               "the first publish creates it; is the path right?"};
}

OpenPublisher publishers_of(const Config& config) {
  return [config](std::string_view destination) -> Result<std::unique_ptr<Publisher>> {
    Result<Broker> broker = broker_of(config, destination);
    if (!broker) return broker.error();
    auto publisher =
        std::visit([](const auto& own) { return open_publisher(own); }, broker->options);
    if (!publisher || broker->topic == destination) return publisher;
    return std::unique_ptr<Publisher>(
        std::make_unique<PublisherTo>(std::move(broker->topic), std::move(*publisher)));
  };
}

Result<std::unique_ptr<Subscriber>> subscriber_of(const Config& config,
                                                  std::string_view destination,
                                                  const std::string& group) {
  const Result<Broker> broker = broker_of(config, destination);
  if (!broker) return broker.error();
  if (const auto* queue = std::get_if<embedded::Options>(&broker->options)) {
    return embedded::open_subscriber(*queue, {broker->topic, group, group});
  }
  if (const auto* cluster = std::get_if<kafka::Options>(&broker->options)) {
    return kafka::open_subscriber(*cluster, {broker->topic, group, group});
  }
  return rabbitmq::open_subscriber(std::get<rabbitmq::Options>(broker->options),
                                   {broker->topic, group});
}

Status check_topology(const Broker& broker) {
  return with_topology(broker, &kafka::check_topology, &rabbitmq::check_topology);
}

Result<std::size_t> body_bytes_max(const Broker& broker) {
  if (const auto* cluster = std::get_if<kafka::Options>(&broker.options)) {
    return kafka::body_bytes_max(*cluster, broker.topic);
  }
  return std::visit([](const auto& own) { return own.body_bytes_max; }, broker.options);
}

Status apply_topology(const Broker& broker) {
  return with_topology(broker, &kafka::apply_topology, &rabbitmq::apply_topology);
}

}  // namespace waybill::cli
