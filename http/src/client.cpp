#include "waybill/http/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>

namespace waybill::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;

struct Target {
  std::string host;
  std::string port;
};

std::optional<Target> parse_base_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  const std::size_t colon = url.rfind(':');
  if (url.empty() || url.find_first_of("/?#@ ") != url.npos) return std::nullopt;
  if (colon == url.npos) return Target{std::string(url), "80"};
  if (colon == 0 || colon + 1 == url.size()) return std::nullopt;
  return Target{std::string(url.substr(0, colon)), std::string(url.substr(colon + 1))};
}

}  // namespace

class Client::Implementation {
 public:
  explicit Implementation(ClientOptions options)
      : options_(std::move(options)), target_(parse_base_url(options_.base_url)) {}

  Result<Response> send(const Request& request) {
    if (!target_) {
      return Error{Remedy::fix_call, "'" + options_.base_url + "' cannot be called",
                   "write http://host:port without a path"};
    }
    const bool kept = stream_.has_value();
    if (!kept) {
      if (Status connected = connect(); !connected) return connected.error();
    }
    bool answer_began = false;
    auto response = exchange(request, answer_began);
    if (response || !kept || answer_began || !closed_by_peer_) return response;
    // The server closed the idle connection while this request was on its way.
    if (Status connected = connect(); !connected) return connected.error();
    return exchange(request, answer_began);
  }

 private:
  Status connect() {
    stream_.reset();
    beast::error_code failed;
    tcp::resolver resolver(io_);
    const auto endpoints = resolver.resolve(target_->host, target_->port, failed);
    if (!failed) {
      stream_.emplace(io_);
      stream_->expires_after(options_.timeout);
      stream_->async_connect(endpoints,
                             [&](beast::error_code code, const tcp::endpoint&) { failed = code; });
      run();
    }
    if (!failed) return {};
    stream_.reset();
    return Error{Remedy::retry, "cannot connect to " + options_.base_url + ": " + failed.message(),
                 "check that the service runs and listens there"};
  }

  // Any failure closes the connection.
  Result<Response> exchange(const Request& request, bool& answer_began) {
    closed_by_peer_ = false;
    bhttp::request<bhttp::string_body> message;
    message.method_string(request.method);
    message.target(request.target);
    message.version(11);
    message.set(bhttp::field::host, target_->host + ":" + target_->port);
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();

    beast::error_code failed;
    stream_->expires_after(options_.timeout);
    bhttp::async_write(*stream_, message,
                       [&](beast::error_code code, std::size_t) { failed = code; });
    run();
    if (failed) return lost(failed);

    beast::flat_buffer buffer;
    bhttp::response_parser<bhttp::string_body> parser;
    parser.body_limit(options_.response_bytes_max);
    stream_->expires_after(options_.timeout);
    bhttp::async_read(*stream_, buffer, parser,
                      [&](beast::error_code code, std::size_t) { failed = code; });
    run();
    answer_began = parser.got_some();
    if (failed) return lost(failed);

    auto answer = parser.release();
    Response response;
    response.status = answer.result_int();
    response.content_type = std::string(answer[bhttp::field::content_type]);
    for (const auto& field : answer.base()) {
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    response.body = std::move(answer.body());
    if (!answer.keep_alive()) stream_.reset();
    return response;
  }

  Error lost(beast::error_code failed) {
    closed_by_peer_ = failed == bhttp::error::end_of_stream || failed == asio::error::eof ||
                      failed == asio::error::connection_reset || failed == asio::error::broken_pipe;
    stream_.reset();
    return {Remedy::look, "no answer from " + options_.base_url + ": " + failed.message(),
            "the request may have been carried out"};
  }

  void run() {
    io_.restart();
    io_.run();
  }

  const ClientOptions options_;
  const std::optional<Target> target_;
  asio::io_context io_;
  std::optional<beast::tcp_stream> stream_;
  bool closed_by_peer_ = false;
};

Client::Client(ClientOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Client::~Client() = default;
Result<Response> Client::send(const Request& request) {
  return implementation_->send(request);
}

}  // namespace waybill::http
