// The real broker that a test program was built for.
#pragma once

#include <string>

#include "waybill/testing/server.hpp"

namespace waybill::e2e {

// Without credentials, which the waybill program takes from elsewhere: they are the defaults.
inline std::string broker_url() {
  std::string url = testing::Server::shared(WAYBILL_SERVERS_TOOLS, WAYBILL_BROKER).url();
  const std::size_t begin = url.find("://") + 3;
  const std::size_t at = url.find('@');
  if (at != std::string::npos) url.erase(begin, at + 1 - begin);
  return url;
}

}  // namespace waybill::e2e
