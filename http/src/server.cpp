#include "waybill/http/server.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace waybill::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;
using Parser = bhttp::request_parser<bhttp::string_body>;
using Answer = bhttp::response<bhttp::string_body>;

// What the connections share with the server.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::atomic<std::uint32_t> connections{0};
};

Request to_request(Parser& parser) {
  auto message = parser.release();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message.base()) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

// Kept alive by its pending operation: shared_from_this in every callback.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }

  void start(bool overloaded) {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this(), overloaded] {
      if (overloaded) {
        self->answer(problem(503, "Too many connections", "try again later"), 11, false);
      } else {
        self->read();
      }
    });
  }

  void cancel() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] { self->stream_.close(); });
  }

 private:
  void read() {
    parser_.emplace();
    parser_->body_limit(shared_.options.body_bytes_max);
    parser_->header_limit(shared_.options.header_bytes_max);
    stream_.expires_after(shared_.options.read_timeout);
    bhttp::async_read(stream_, buffer_, *parser_,
                      [self = shared_from_this()](beast::error_code failed, std::size_t) {
                        self->on_read(failed);
                      });
  }

  void on_read(beast::error_code failed) {
    if (failed == bhttp::error::body_limit) {
      return answer(problem(413, "Content too large",
                            "at most " + std::to_string(shared_.options.body_bytes_max) + " bytes"),
                    11, false);
    }
    if (failed == bhttp::error::header_limit) {
      return answer(
          problem(431, "Request header fields too large",
                  "at most " + std::to_string(shared_.options.header_bytes_max) + " bytes"),
          11, false);
    }
    if (failed.category() == beast::error_code(bhttp::error::bad_method).category() &&
        failed != bhttp::error::end_of_stream && failed != bhttp::error::partial_message) {
      return answer(problem(400, "Bad request", "this is no HTTP/1.1 request"), 11, false);
    }
    if (failed) return close();
    const unsigned version = parser_->get().version();
    const bool keep_alive = parser_->get().keep_alive();
    answer(handle(to_request(*parser_)), version, keep_alive);
  }

  Response handle(const Request& request) {
    try {
      return shared_.handler(request);
    } catch (const std::exception& error) {
      if (shared_.options.log) {
        shared_.options.log(LogLevel::warning,
                            "http: " + request.method + " failed: " + error.what());
      }
    } catch (...) {
      if (shared_.options.log) shared_.options.log(LogLevel::warning, "http: a handler failed");
    }
    return problem(500, "Internal error", "the server's log says more");
  }

  void answer(Response response, unsigned version, bool keep_alive) {
    // Lives until the write ends; the callback holds it.
    auto answer = std::make_shared<Answer>(static_cast<bhttp::status>(response.status), version);
    answer->set(bhttp::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) answer->set(name, value);
    answer->keep_alive(keep_alive);
    answer->body() = std::move(response.body);
    answer->prepare_payload();
    stream_.expires_after(shared_.options.read_timeout);
    bhttp::async_write(
        stream_, *answer,
        [self = shared_from_this(), answer, keep_alive](beast::error_code failed, std::size_t) {
          if (failed || !keep_alive) return self->close();
          self->read();
        });
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
};

Error cannot_listen(const ServerOptions& options, const std::string& why, const std::string& hint) {
  return {Remedy::fix_call,
          "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " + why,
          hint};
}

}  // namespace

class Server::Implementation {
 public:
  Implementation(ServerOptions options, Handler handler)
      : shared_{std::move(options), std::move(handler), {}}, acceptor_(io_) {}
  ~Implementation() { stop(); }

  Result<std::uint16_t> start() {
    const ServerOptions& options = shared_.options;
    beast::error_code failed;
    const auto address = asio::ip::make_address(options.address, failed);
    if (failed)
      return cannot_listen(options, "this is no IP address",
                           "use 127.0.0.1, ::1 or another IP address");
    if (!address.is_loopback() && !options.allow_remote) {
      return cannot_listen(options, "the address is not a loopback address",
                           "set allow_remote, and have every caller sign");
    }
    const tcp::endpoint endpoint(address, options.port);
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
    if (failed)
      return cannot_listen(options, failed.message(), "choose another port, or 0 for a free one");
    accept();
    for (std::uint32_t i = 0; i < std::clamp(options.threads, 1U, 64U); ++i) {
      threads_.emplace_back([this] { io_.run(); });
    }
    return acceptor_.local_endpoint().port();
  }

  void stop() {
    if (threads_.empty()) return;
    asio::post(io_, [this] {
      beast::error_code ignored;
      acceptor_.close(ignored);
    });
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const auto& weak : connections_) {
        if (const auto connection = weak.lock()) connection->cancel();
      }
    }
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  using WeakConnection = std::weak_ptr<Connection>;

  void accept() {
    acceptor_.async_accept(asio::make_strand(io_),
                           [this](beast::error_code failed, tcp::socket socket) {
                             if (failed == asio::error::operation_aborted) return;
                             if (!failed) welcome(std::move(socket));
                             if (acceptor_.is_open()) accept();
                           });
  }

  void welcome(tcp::socket socket) {
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_);
    const bool overloaded = shared_.connections > shared_.options.connections_max;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      std::erase_if(connections_, [](const WeakConnection& known) { return known.expired(); });
      connections_.insert(connection);
    }
    connection->start(overloaded);
  }

  Shared shared_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;  // guards the members below
  std::set<WeakConnection, std::owner_less<WeakConnection>> connections_;
  bool stopping_ = false;
};

Server::Server(ServerOptions options, Handler handler)
    : implementation_(std::make_unique<Implementation>(std::move(options), std::move(handler))) {}
Server::~Server() = default;
Result<std::uint16_t> Server::start() {
  return implementation_->start();
}
void Server::stop() {
  implementation_->stop();
}

}  // namespace waybill::http
