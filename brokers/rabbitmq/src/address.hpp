// Where a server is and who we are there: an amqp:// URL in parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "waybill/error.hpp"

namespace waybill::rabbitmq {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  std::string user;
  std::string password;
  std::string virtual_host;
  bool tls = false;

  [[nodiscard]] std::string host_and_port() const { return host + ":" + std::to_string(port); }
};

// **Errors**: `fix_call` for anything that is no such URL; the text never holds a part of it, since
// any part may be a password in the wrong place.
[[nodiscard]] Result<Address> parse_url(std::string_view url);

}  // namespace waybill::rabbitmq
