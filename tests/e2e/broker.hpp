// The real broker that a test program was built for.
#pragma once

#include <string>

#include "waybill/testing/server.hpp"

namespace waybill::e2e {

// Without credentials, which the waybill program takes from elsewhere: they are the defaults.
inline std::string url_of(const testing::Server& broker) {
  std::string url = broker.url();
  const std::size_t begin = url.find("://") + 3;
  const std::size_t at = url.find('@');
  if (at != std::string::npos) url.erase(begin, at + 1 - begin);
  return url;
}

// Of the one that ctest started.
inline std::string broker_url() {
  return url_of(testing::Server::shared(WAYBILL_SERVERS_TOOLS, WAYBILL_BROKER));
}

}  // namespace waybill::e2e
