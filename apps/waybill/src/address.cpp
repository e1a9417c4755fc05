#include "address.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>

namespace waybill::cli {
namespace {

Error malformed(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

Result<std::string> decode_percent(std::string_view encoded) {
  std::string decoded;
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    if (encoded[at] != '%') {
      decoded += encoded[at];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = encoded.substr(at + 1, 2);
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (problem != std::errc() || digits.size() != 2 || end != digits.data() + 2 || byte == 0) {
      return malformed(fmt::format("bad percent-encoding in path '{}'", encoded),
                       "write a '%' in a file name as %25");
    }
    decoded += static_cast<char>(byte);
    at += 2;
  }
  return decoded;
}

// `scheme:///absolute/path`; `what` names the address in the texts.
Result<std::string> parse_file_url(std::string_view url, std::string_view scheme,
                                   std::string_view what, std::string_view others = "") {
  const std::string form = fmt::format("{}:///absolute/path", scheme);
  if (url.empty()) return malformed(fmt::format("the {} is empty", what), "write " + form);
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) {
    const bool is_path = url.front() == '/';
    return malformed(fmt::format("'{}' is no URL", url),
                     is_path ? fmt::format("write {}://{}", scheme, url) : "write " + form);
  }
  if (url.substr(0, colon) != scheme) {
    return malformed(fmt::format("unknown scheme '{}' in the {}", url.substr(0, colon), what),
                     fmt::format("known: {}{}", form, others));
  }
  const std::string_view path = url.substr(colon + 3);
  if (path.empty() || path.front() != '/') {
    return malformed(fmt::format("'{}' has a relative path or a host", url),
                     fmt::format("the path must be absolute, after three slashes: {}", form));
  }
  if (path.find_first_of("?#") != std::string_view::npos) {
    return malformed(fmt::format("'{}' has a query or a fragment, which mean nothing here", url),
                     "write '?' and '#' in a file name as %3F and %23");
  }
  if (path.back() == '/') {
    return malformed(fmt::format("'{}' names a folder, not a file", url), "write " + form);
  }
  return decode_percent(path);
}

}  // namespace

bool is_mariadb_url(std::string_view url) {
  return url.starts_with("mariadb://");
}

bool is_postgres_url(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

Result<std::string> parse_store_url(std::string_view url) {
  if (is_postgres_url(url) || is_mariadb_url(url)) return std::string(url);
  return parse_file_url(url, "sqlite", "store URL",
                        ", postgresql://user@host/database, mariadb://user@host/database");
}

bool is_kafka_url(std::string_view url) {
  return url.starts_with("kafka://");
}

bool is_amqp_url(std::string_view url) {
  return url.starts_with("amqp://") || url.starts_with("amqps://");
}

Result<std::string> parse_queue_url(std::string_view url) {
  if (is_kafka_url(url) || is_amqp_url(url)) {
    if (url.find('@') == std::string_view::npos) return std::string(url);
    return malformed("the queue URL holds credentials",
                     "write user, and password_file or password_env, in [destinations.NAME]");
  }
  return parse_file_url(url, "queue", "queue URL", ", kafka://host:port, amqp://host:port/vhost");
}

}  // namespace waybill::cli
