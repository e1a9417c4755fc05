#include "base_url.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace waybill::http {
namespace {

constexpr std::size_t kHostBytesMax = 253;

bool is_host(std::string_view text, std::string_view also) {
  return !text.empty() && text.size() <= kHostBytesMax &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  also.find(c) != also.npos;
         });
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  return failed == std::errc() && end == text.data() + text.size() && port > 0;
}

}  // namespace

std::optional<BaseUrl> parse_base_url(std::string_view url) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  BaseUrl parsed;
  parsed.tls = url.starts_with(kTls);
  if (!parsed.tls && !url.starts_with(kPlain)) return std::nullopt;
  url.remove_prefix((parsed.tls ? kTls : kPlain).size());
  if (url.ends_with('/')) url.remove_suffix(1);

  const bool is_ipv6 = url.starts_with('[');
  const std::size_t host_end = is_ipv6 ? url.find(']') : std::min(url.find(':'), url.size());
  if (host_end == url.npos) return std::nullopt;
  const std::string_view host = is_ipv6 ? url.substr(1, host_end - 1) : url.substr(0, host_end);
  if (!is_host(host, is_ipv6 ? ":." : ".-_")) return std::nullopt;
  const std::string_view rest = url.substr(host_end + (is_ipv6 ? 1 : 0));
  if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) return std::nullopt;
  parsed.host = host;
  parsed.port = rest.empty() ? (parsed.tls ? "443" : "80") : rest.substr(1);
  parsed.authority = url;
  return parsed;
}

}  // namespace waybill::http
