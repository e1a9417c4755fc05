#include <algorithm>
#include <charconv>

#include "waybill/drivers/mariadb.hpp"

namespace waybill::mariadb {
namespace {

constexpr std::string_view kScheme = "mariadb://";
constexpr std::string_view kForm = "mariadb://user@host:port/database";

Failure bad_url(const std::string& text) {
  return {{Remedy::fix_call, "the store's URL " + text, "write " + std::string(kForm)}};
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `what` names the part, whose value may be secret.
std::string decode(std::string_view text, const std::string& what) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : digit(text[i + 2]);
    if (low < 0 || high * 16 + low == 0) {
      throw bad_url("has a '%' in its " + what + " that is no %XX (write a '%' itself as %25)");
    }
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

bool parse_switch(std::string_view name, std::string_view value) {
  if (value == "1" || value == "true") return true;
  if (value == "0" || value == "false") return false;
  throw bad_url("has a parameter '" + std::string(name) + "' that is neither true nor false");
}

struct Parts {
  std::string_view login;  // user[:password]
  std::string_view host;   // host[:port]
  std::string_view database;
  std::string_view parameters;
};

Parts split(std::string_view url) {
  url.remove_prefix(kScheme.size());
  Parts parts;
  // A password may hold '/', '?' or '@' by mistake: it ends at the last '@' of all, so that no part
  // of it is taken for something that may be shown.
  if (const std::size_t at = url.rfind('@'); at != url.npos) {
    parts.login = url.substr(0, at);
    url.remove_prefix(at + 1);
  }
  if (const std::size_t mark = url.find('?'); mark != url.npos) {
    parts.parameters = url.substr(mark + 1);
    url = url.substr(0, mark);
  }
  const std::size_t slash = std::min(url.find('/'), url.size());
  parts.host = url.substr(0, slash);
  if (slash < url.size()) parts.database = url.substr(slash + 1);
  return parts;
}

void set_host(Address& address, std::string_view host) {
  if (host.starts_with('[')) {  // an IPv6 address
    const std::size_t end = host.find(']');
    if (end == host.npos) throw bad_url("has a '[' without its ']'");
    address.host = host.substr(1, end - 1);
    host.remove_prefix(end + 1);
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    if (colon > 0) address.host = decode(host.substr(0, colon), "host");
    host.remove_prefix(colon);
  }
  if (host.empty()) return;
  const std::string_view port = host.substr(1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || address.port == 0) {
    // Not repeated: where the '@' was forgotten, it is a password.
    throw bad_url("has a port that is no number from 1 to 65535");
  }
}

void set_parameter(Address& address, std::string_view name, const std::string& value) {
  if (name == "socket") {
    address.socket = value;
  } else if (name == "defaults-file") {
    address.defaults_file = value;
  } else if (name == "ssl") {
    address.ssl = parse_switch(name, value);
  } else if (name == "ssl-verify-server-cert") {
    address.ssl_verify = parse_switch(name, value);
  } else if (name == "ssl-ca") {
    address.ssl_ca = value;
  } else if (name == "ssl-capath") {
    address.ssl_capath = value;
  } else if (name == "ssl-crl") {
    address.ssl_crl = value;
  } else if (name == "ssl-cert") {
    address.ssl_cert = value;
  } else if (name == "ssl-key") {
    address.ssl_key = value;
  } else {
    throw Failure{{Remedy::fix_call,
                   "the store's URL has the unknown parameter '" + std::string(name) + "'",
                   "known: socket, defaults-file, ssl, ssl-ca, ssl-capath, ssl-crl, ssl-cert, "
                   "ssl-key, ssl-verify-server-cert"}};
  }
}

void set_parameters(Address& address, std::string_view parameters) {
  bool verify_given = false;
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find('&'), parameters.size());
    const std::string_view pair = parameters.substr(0, end);
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    const std::size_t equals = pair.find('=');
    if (equals == pair.npos) throw bad_url("has a parameter without '='");
    const std::string_view name = pair.substr(0, equals);
    set_parameter(address, name, decode(pair.substr(equals + 1), std::string(name)));
    verify_given = verify_given || name == "ssl-verify-server-cert";
  }
  // Whoever names an issuer wants its servers only.
  const bool has_issuer = !address.ssl_ca.empty() || !address.ssl_capath.empty();
  if (!verify_given) address.ssl_verify = has_issuer;
  address.ssl = address.ssl || address.ssl_verify || has_issuer || !address.ssl_cert.empty();
}

}  // namespace

Result<Address> parse_url(std::string_view url) {
  return guarded([&] {
    if (!url.starts_with(kScheme)) throw bad_url("does not begin with mariadb://");
    const Parts parts = split(url);
    Address address;
    const std::size_t colon = parts.login.find(':');
    address.user = decode(parts.login.substr(0, colon), "user");
    if (colon != parts.login.npos) {
      address.password = decode(parts.login.substr(colon + 1), "password");
    }
    set_host(address, parts.host);
    address.database = decode(parts.database, "database");
    if (address.database.empty()) throw bad_url("names no database");
    set_parameters(address, parts.parameters);
    return address;
  });
}

}  // namespace waybill::mariadb
