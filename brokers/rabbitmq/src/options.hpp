// What the options mean once they are checked.
#pragma once

#include "address.hpp"
#include "socket.hpp"
#include "waybill/brokers/rabbitmq.hpp"

namespace waybill::rabbitmq {

struct Server {
  Address address;
  TlsContext tls;  // null without TLS
};

// **Errors**: `fix_call` for options out of their range, a malformed URL, files that cannot be
// used.
[[nodiscard]] Result<Server> check(const Options& options);

// As AMQP's short strings allow: 1 to 255 bytes.
[[nodiscard]] bool is_name(std::string_view name) noexcept;

// Whole seconds, as the protocol counts, at least 1.
[[nodiscard]] std::chrono::seconds to_heartbeat(Millis time) noexcept;

}  // namespace waybill::rabbitmq
