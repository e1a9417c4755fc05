// HTTP requests and responses as values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace waybill::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;    // "GET", "POST", …
  std::string target;    // path and query as sent
  Headers headers = {};  // in order; names as sent
  std::string body = {};
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  Headers headers = {};  // besides Content-Type, Content-Length and Transfer-Encoding
};

// A response of RFC 9457 (application/problem+json). `detail` holds no secrets.
[[nodiscard]] Response problem(int status, std::string_view title, std::string_view detail,
                               Headers headers = {});

}  // namespace waybill::http
