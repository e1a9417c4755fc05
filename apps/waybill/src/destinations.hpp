// From the configured destinations to the brokers behind them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config.hpp"
#include "waybill/brokers/embedded.hpp"
#include "waybill/brokers/kafka.hpp"
#include "waybill/brokers/rabbitmq.hpp"
#include "waybill/error.hpp"
#include "waybill/message_store.hpp"
#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::cli {

// How a broker is reached, of whichever kind.
using BrokerOptions = std::variant<embedded::Options, kafka::Options, rabbitmq::Options>;

struct Broker {
  BrokerOptions options;
  std::string topic;                // the destination's name there
  std::vector<std::string> queues;  // that are bound to it, when it is an exchange
};

// Reads the password's file or variable, if there is one.
// **Errors**: fix_call when nothing is configured for the destination, or it has no password.
[[nodiscard]] Result<Broker> broker_of(const Config& config, std::string_view destination);

// Whether every configured destination has what broker_of reads. **Errors**: as broker_of.
[[nodiscard]] Status check_destinations(const Config& config);

// Where the routes lead, and the reply topic, each once.
[[nodiscard]] Result<std::vector<std::string>> needed_destinations(const Config& config,
                                                                   ConsoleSession& session);

// The embedded queue behind a destination, whose file must be there since looking creates nothing.
// **Errors**: as broker_of; fix_call for another kind of broker, with that hint, or without the
// file.
[[nodiscard]] Result<embedded::Options> existing_queue(const Config& config,
                                                       std::string_view destination,
                                                       std::string_view hint);

// Opens publishers as the configuration maps destinations to brokers. Copies what it needs.
[[nodiscard]] OpenPublisher publishers_of(const Config& config);

// A member of `group` at a destination. RabbitMQ: one of the readers of the queue.
[[nodiscard]] Result<std::unique_ptr<Subscriber>> subscriber_of(const Config& config,
                                                                std::string_view destination,
                                                                const std::string& group);

// Whether what a destination needs is there at its broker, and creating that. An embedded queue
// needs nothing. **Errors**: retry when no broker answers, fix_call with what is missing.
[[nodiscard]] Status check_topology(const Broker& broker);
[[nodiscard]] Status apply_topology(const Broker& broker);

// The largest body that goes there: what the broker tells, or the options allow. **Errors**: as
// above.
[[nodiscard]] Result<std::size_t> body_bytes_max(const Broker& broker);

}  // namespace waybill::cli
