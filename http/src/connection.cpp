#include "connection.hpp"

#include <algorithm>

#include "fields.hpp"

namespace waybill::http {

namespace bhttp = boost::beast::http;

void log(const Shared& shared, LogLevel level, const std::string& text) {
  if (shared.options.log) shared.options.log(level, "http: " + text);
}

namespace wire {
namespace {

Request to_request(Message message) {
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message.base()) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

const char* find_defect_of(const Response& response) {
  if (response.status < 200 || response.status > 599) return "its status is not 200 to 599";
  if (!is_field_value(response.content_type)) return "its content type has control bytes";
  if ((response.status == 204 || response.status == 304) && !response.body.empty()) {
    return "this status has no body";
  }
  return find_defect(response.headers);
}

}  // namespace

const char* find_ambiguity(const Message& message) {
  if (message.count(bhttp::field::host) != 1 && message.version() >= 11) {
    return "exactly one Host header is needed";
  }
  const auto codings = message.count(bhttp::field::transfer_encoding);
  if (codings > 0 && (codings > 1 || message.version() < 11 ||
                      !same_name(message[bhttp::field::transfer_encoding], "chunked"))) {
    return "the only Transfer-Encoding here is chunked";
  }
  return nullptr;
}

bool exceeds_header_limit(const Message& message, const ServerOptions& options) {
  constexpr std::size_t kStartLine = std::string_view("  HTTP/1.1\r\n\r\n").size();
  std::size_t bytes = kStartLine + message.method_string().size() + message.target().size();
  for (const auto& field : message.base()) {
    bytes += field.name_string().size() + field.value().size() + std::string_view(": \r\n").size();
  }
  return bytes > options.header_bytes_max;
}

bool expects_continue(const Message& message) {
  return message.version() >= 11 && same_name(message[bhttp::field::expect], "100-continue");
}

std::optional<Response> refusal(const boost::beast::error_code& failed,
                                const ServerOptions& options) {
  static const auto& parser_errors = boost::beast::error_code(bhttp::error::bad_method).category();
  if (failed.category() != parser_errors || failed == bhttp::error::end_of_stream ||
      failed == bhttp::error::partial_message) {
    return std::nullopt;
  }
  if (failed == bhttp::error::body_limit) {
    return problem(413, "Content too large",
                   "at most " + std::to_string(options.body_bytes_max) + " bytes");
  }
  if (failed == bhttp::error::header_limit || failed == bhttp::error::buffer_overflow) {
    return problem(431, "Request header fields too large",
                   "at most " + std::to_string(options.header_bytes_max) + " bytes");
  }
  return problem(400, "Bad request", "this is no HTTP/1.1 request");
}

Response run_handler(const Shared& shared, Message message) {
  const std::string method(message.method_string().substr(0, 32));
  try {
    Response response = shared.handler(to_request(std::move(message)));
    const char* defect = find_defect_of(response);
    if (defect == nullptr) return response;
    log(shared, LogLevel::warning, method + ": the response cannot be sent: " + defect);
  } catch (const std::exception& error) {
    log(shared, LogLevel::warning, method + " failed: " + error.what());
  } catch (...) {
    log(shared, LogLevel::warning, method + " failed: an exception of unknown type");
  }
  return problem(500, "Internal error", "the server's log says more");
}

Answer encode(Response response, unsigned version, bool keep_alive, bool without_body) {
  Answer answer(static_cast<bhttp::status>(response.status), version);
  if (!response.content_type.empty()) {
    answer.set(bhttp::field::content_type, response.content_type);
  }
  for (const auto& [name, value] : response.headers) answer.insert(name, value);
  answer.keep_alive(keep_alive);
  if (response.status == 204 || response.status == 304) {
    answer.erase(bhttp::field::content_type);
    return answer;
  }
  answer.content_length(response.body.size());
  if (!without_body) answer.body() = std::move(response.body);
  return answer;
}

}  // namespace wire
}  // namespace waybill::http
