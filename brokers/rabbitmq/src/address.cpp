#include "address.hpp"

#include <charconv>
#include <optional>

namespace waybill::rabbitmq {
namespace {

constexpr std::string_view kShape = "amqp://user:password@host:5672/vhost";

Error wrong(const std::string& what) {
  return {Remedy::fix_call, "the URL of RabbitMQ " + what,
          "write it as " + std::string(kShape) + ", with %40 for @, %3A for : and %2F for /"};
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
    i += 2;
  }
  // SASL PLAIN and AMQP's short strings hold neither.
  if (decoded.find('\0') != decoded.npos || decoded.size() > 255) return std::nullopt;
  return decoded;
}

bool read_port(std::string_view text, std::uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc{} && rest == end && port != 0;
}

// "host", "host:port" or "[::1]:port".
bool read_host(std::string_view text, Address& address) {
  std::string_view host = text.substr(0, text.rfind(':'));
  std::string_view port = text.substr(host.size());
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return false;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  }
  if (host.empty()) return false;
  address.host = host;
  return port.empty() || (port.starts_with(':') && read_port(port.substr(1), address.port));
}

}  // namespace

Result<Address> parse_url(std::string_view url) {
  Address address{"", 5672, "guest", "guest", "/", false};
  if (url.starts_with("amqps://")) {
    address.tls = true;
    address.port = 5671;
  } else if (!url.starts_with("amqp://")) {
    return wrong("begins with neither amqp:// nor amqps://");
  }
  url.remove_prefix(url.find("//") + 2);
  const std::size_t slash = url.find('/');
  if (slash != url.npos && slash + 1 < url.size()) {
    const auto virtual_host = decode(url.substr(slash + 1));
    if (!virtual_host || url.find_first_of("/?#", slash + 1) != url.npos) {
      return wrong("has a malformed virtual host");
    }
    address.virtual_host = *virtual_host;
  }
  url = url.substr(0, slash);
  if (const std::size_t at = url.rfind('@'); at != url.npos) {
    const std::string_view login = url.substr(0, at);
    const std::size_t colon = login.find(':');
    const auto user = decode(login.substr(0, colon));
    const auto password = decode(colon == login.npos ? "" : login.substr(colon + 1));
    if (!user || !password || user->empty()) return wrong("has a malformed user or password");
    address.user = *user;
    address.password = *password;
    url.remove_prefix(at + 1);
  }
  if (!read_host(url, address)) return wrong("has no host, or a malformed port");
  return address;
}

}  // namespace waybill::rabbitmq
