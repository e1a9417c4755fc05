#include "waybill/http/client.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cerrno>

#include "base_url.hpp"
#include "fields.hpp"
#include "tls.hpp"

namespace waybill::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr int kInterimAnswersMax = 8;  // 1xx

const char* find_defect_of(const Request& request) {
  if (!is_token(request.method)) return "the method is no token";
  if (!request.target.starts_with('/')) return "the target does not begin with '/'";
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7f; };
  if (!std::all_of(request.target.begin(), request.target.end(), is_plain)) {
    return "the target has bytes that must be percent-encoded";
  }
  return find_defect(request.headers);
}

bool is_idempotent(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

bool is_end_of_connection(const beast::error_code& failed) {
  return failed == bhttp::error::end_of_stream || failed == asio::error::eof ||
         failed == asio::error::connection_reset || failed == asio::error::broken_pipe ||
         failed == asio::ssl::error::stream_truncated;
}

Response to_response(bhttp::response<bhttp::string_body> answer) {
  Response response;
  response.status = static_cast<int>(answer.result_int());
  response.content_type = std::string(answer[bhttp::field::content_type]);
  for (const auto& field : answer.base()) {
    if (field.name() == bhttp::field::content_type ||
        field.name() == bhttp::field::content_length ||
        field.name() == bhttp::field::transfer_encoding) {
      continue;
    }
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  response.body = std::move(answer.body());
  return response;
}

}  // namespace

class Client::Implementation {
 public:
  explicit Implementation(ClientOptions options)
      : options_(std::move(options)), url_(parse_base_url(options_.base_url)) {}

  Result<Response> send(const Request& request) {
    if (!url_) {
      // The text may hold credentials.
      return Error{Remedy::fix_call, "base_url cannot be called",
                   "write http://host:port or https://host:port without a path and a user"};
    }
    if (const char* defect = find_defect_of(request)) {
      return Error{Remedy::fix_call, std::string("the request cannot be sent: ") + defect, {}};
    }
    const bool kept = is_open() && is_quiet();
    if (!kept) {
      if (Status connected = connect(); !connected) return connected.error();
    }
    bool again = kept && is_idempotent(request.method);
    auto response = exchange(request, again);
    if (response || !again) return response;
    if (Status connected = connect(); !connected) return connected.error();
    return exchange(request, again);
  }

 private:
  [[nodiscard]] bool is_open() const { return plain_ || tls_; }
  beast::tcp_stream& lowest() { return tls_ ? tls_->next_layer() : *plain_; }

  // Neither closed by the server, nor is anything there that no request asked for.
  bool is_quiet() {
    char byte = 0;
    const auto got = ::recv(lowest().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  void close() {
    tls_.reset();
    plain_.reset();
  }

  Status connect() {
    close();
    beast::error_code failed;
    tcp::resolver resolver(io_);
    const auto endpoints = resolver.resolve(url_->host, url_->port, failed);
    if (!failed) {
      plain_ = std::make_unique<beast::tcp_stream>(io_);
      plain_->expires_after(options_.timeout);
      plain_->async_connect(
          endpoints, [&](const beast::error_code& code, const tcp::endpoint&) { failed = code; });
      run();
    }
    if (!failed) return url_->tls ? handshake() : Status();
    close();
    return cannot_connect(Remedy::retry, failed, "check that the service runs and listens there");
  }

  Status handshake() {
    if (tls_context_ == nullptr) {
      auto context = make_client_tls(options_.ca_file);
      if (!context) {
        close();
        return context.error();
      }
      tls_context_ = std::move(*context);
    }
    tls_ = std::make_unique<TlsStream>(std::move(*plain_), *tls_context_);
    plain_.reset();
    tls_->set_verify_callback(asio::ssl::host_name_verification(url_->host));
    beast::error_code failed;
    beast::error_code no_address;
    asio::ip::make_address(url_->host, no_address);
    if (no_address) SSL_set_tlsext_host_name(tls_->native_handle(), url_->host.c_str());
    tls_->next_layer().expires_after(options_.timeout);
    tls_->async_handshake(asio::ssl::stream_base::client,
                          [&](const beast::error_code& code) { failed = code; });
    run();
    if (!failed) return {};
    const bool is_tls_error = failed.category() == asio::error::get_ssl_category();
    const long verified = SSL_get_verify_result(tls_->native_handle());
    close();
    if (is_tls_error && verified != X509_V_OK) {
      return Error{Remedy::fix_call,
                   "the certificate of " + options_.base_url +
                       " is not accepted: " + X509_verify_cert_error_string(verified),
                   "it must be valid for this host and signed by a CA of ca_file"};
    }
    return cannot_connect(is_tls_error ? Remedy::fix_call : Remedy::retry, failed,
                          "check that the service speaks TLS 1.2 or newer there");
  }

  Error cannot_connect(Remedy remedy, const beast::error_code& failed, const std::string& hint) {
    return {remedy, "cannot connect to " + options_.base_url + ": " + failed.message(), hint};
  }

  // Any failure closes the connection. `again` comes as whether the request may be sent twice, and
  // stays true only when the server closed before anything of an answer came.
  Result<Response> exchange(const Request& request, bool& again) {
    return tls_ ? exchange_on(*tls_, request, again) : exchange_on(*plain_, request, again);
  }

  template <class Stream>
  Result<Response> exchange_on(Stream& stream, const Request& request, bool& again) {
    const auto message = encode(request);
    beast::error_code failed;
    lowest().expires_after(options_.timeout);
    bhttp::async_write(stream, message,
                       [&](const beast::error_code& code, std::size_t) { failed = code; });
    run();
    if (failed) return lost(failed, again);

    beast::flat_buffer buffer;
    lowest().expires_after(options_.timeout);
    for (int i = 0; i < kInterimAnswersMax; ++i) {
      bhttp::response_parser<bhttp::string_body> parser;
      parser.body_limit(options_.response_bytes_max);
      parser.skip(request.method == "HEAD");
      bhttp::async_read(stream, buffer, parser,
                        [&](const beast::error_code& code, std::size_t) { failed = code; });
      run();
      again = again && !parser.got_some();
      if (failed) return lost(failed, again);
      if (parser.get().result_int() / 100 == 1) continue;
      auto answer = parser.release();
      // What follows the answer belongs to no request.
      if (!answer.keep_alive() || buffer.size() > 0) close();
      return to_response(std::move(answer));
    }
    return lost(bhttp::error::bad_status, again);
  }

  bhttp::request<bhttp::string_body> encode(const Request& request) const {
    bhttp::request<bhttp::string_body> message;
    message.method_string(request.method);
    message.target(request.target);
    message.version(11);
    message.set(bhttp::field::host, url_->authority);
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    message.prepare_payload();
    return message;
  }

  Error lost(const beast::error_code& failed, bool& again) {
    again = again && is_end_of_connection(failed);
    close();
    return {Remedy::look, "no usable answer from " + options_.base_url + ": " + failed.message(),
            "the request may have been carried out"};
  }

  void run() {
    io_.restart();
    io_.run();
  }

  const ClientOptions options_;
  const std::optional<BaseUrl> url_;
  asio::io_context io_;
  std::unique_ptr<TlsContext> tls_context_;
  // At most one of them.
  std::unique_ptr<beast::tcp_stream> plain_;
  std::unique_ptr<TlsStream> tls_;
};

Client::Client(ClientOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Client::~Client() = default;
Result<Response> Client::send(const Request& request) {
  return implementation_->send(request);
}

}  // namespace waybill::http
