// The address of a server as the user writes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace waybill::http {

struct BaseUrl {
  bool tls = false;
  std::string host;       // without the brackets of an IPv6 address
  std::string port;       // decimal
  std::string authority;  // as the Host header says it
};

// "http://host[:port]" or "https://host[:port]", with or without a last '/'; nothing for all else.
[[nodiscard]] std::optional<BaseUrl> parse_base_url(std::string_view url);

}  // namespace waybill::http
