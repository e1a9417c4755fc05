// The confirmation protocol's request and reply, as whatever transport carries them.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "waybill/error.hpp"

namespace waybill::confirm {

inline constexpr const char* kPath = "/api/v1/confirmations";

struct Request {
  std::string method = "POST";
  std::string target = kPath;
  std::vector<std::pair<std::string, std::string>> headers = {};  // names without case
  std::string body = {};
};

struct Reply {
  int status = 200;
  std::string content_type = {};
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  // besides Content-Type
};

// No status of HTTP: a broker has the request, and nobody answers it item by item.
inline constexpr int kPublished = 1000;

// Carries a request to the producer. **Errors**: retry or look when there was no answer.
using Post = std::function<Result<Reply>(const Request&)>;

}  // namespace waybill::confirm
