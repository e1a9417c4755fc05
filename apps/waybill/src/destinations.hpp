// From the configured destinations to the brokers behind them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "config.hpp"
#include "waybill/brokers/embedded.hpp"
#include "waybill/brokers/kafka.hpp"
#include "waybill/error.hpp"
#include "waybill/publisher.hpp"

namespace waybill::cli {

// How a broker is reached, of whichever kind.
using BrokerOptions = std::variant<embedded::Options, kafka::Options>;

// **Errors**: fix_call when nothing is configured for the destination.
[[nodiscard]] Result<BrokerOptions> broker_options(const Config& config,
                                                   std::string_view destination);

// The embedded queue behind a destination, whose file must be there since looking creates nothing.
// **Errors**: as broker_options; fix_call for another kind of broker, or without the file.
[[nodiscard]] Result<embedded::Options> existing_queue(const Config& config,
                                                       std::string_view destination);

// Opens publishers as the configuration maps destinations to addresses. Copies what it needs.
[[nodiscard]] OpenPublisher publishers_of(const Config& config);

// Whether what a destination needs is there at its broker, and creating that. An embedded queue
// needs nothing. **Errors**: retry when no broker answers, fix_call with what is missing.
[[nodiscard]] Status check_topology(const BrokerOptions& broker, std::string_view destination);
[[nodiscard]] Status apply_topology(const BrokerOptions& broker, std::string_view destination);

}  // namespace waybill::cli
