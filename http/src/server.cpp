#include "waybill/http/server.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/ssl.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "connection.hpp"
#include "tls.hpp"

namespace waybill::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;

// Before trying again to accept, when for example no file descriptor is left.
constexpr Millis kAcceptPause{100};

Error cannot_listen(const ServerOptions& options, const std::string& why, const std::string& hint) {
  return {Remedy::fix_call,
          "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " + why,
          hint};
}

}  // namespace

class Server::Implementation {
 public:
  Implementation(ServerOptions options, Handler handler)
      : shared_{std::move(options), std::move(handler), {}, {}},
        acceptor_(asio::make_strand(io_)),
        pause_(acceptor_.get_executor()) {}
  ~Implementation() { stop(); }

  Result<std::uint16_t> start() {
    const ServerOptions& options = shared_.options;
    if (!threads_.empty()) return cannot_listen(options, "it is started already", "start once");
    if (options.tls) {
      auto tls = make_server_tls(*options.tls);
      if (!tls) return tls.error();
      tls_ = std::move(*tls);
    }
    if (const Status listening = listen(); !listening) {
      beast::error_code ignored;
      acceptor_.close(ignored);
      return listening.error();
    }
    const std::uint16_t port = acceptor_.local_endpoint().port();
    accept();
    for (std::uint32_t i = 0; i < std::clamp(options.threads, 1U, 64U); ++i) {
      threads_.emplace_back([this] { run(); });
    }
    return port;
  }

  void stop() {
    if (threads_.empty()) return;
    shared_.stopping = true;
    asio::post(acceptor_.get_executor(), [this] {
      beast::error_code ignored;
      acceptor_.close(ignored);
      pause_.cancel();
    });
    {
      const std::lock_guard lock(mutex_);
      for (const auto& weak : peers_) {
        if (const auto peer = weak.lock()) peer->cancel();
      }
    }
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  Status listen() {
    const ServerOptions& options = shared_.options;
    beast::error_code failed;
    const auto address = asio::ip::make_address(options.address, failed);
    if (failed) {
      return cannot_listen(options, "this is no IP address",
                           "use 127.0.0.1, ::1 or another IP address");
    }
    if (!address.is_loopback() && !options.allow_remote) {
      return cannot_listen(options, "the address is not a loopback address",
                           "set allow_remote, and have every caller sign");
    }
    const tcp::endpoint endpoint(address, options.port);
    acceptor_.open(endpoint.protocol(), failed);
    if (!failed) acceptor_.set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) acceptor_.bind(endpoint, failed);
    if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
    if (!failed) return {};
    return cannot_listen(options, failed.message(), "choose another port, or 0 for a free one");
  }

  void run() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        log(shared_, LogLevel::warning, std::string("a connection was dropped: ") + error.what());
      }
    }
  }

  void accept() {
    acceptor_.async_accept(asio::make_strand(io_),
                           [this](const beast::error_code& failed, tcp::socket socket) {
                             on_accept(failed, std::move(socket));
                           });
  }

  void on_accept(const beast::error_code& failed, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!failed) {
      cannot_accept_ = false;
      accept();  // first: an exception in there drops this connection only
      return welcome(std::move(socket));
    }
    if (!std::exchange(cannot_accept_, true)) {
      log(shared_, LogLevel::warning, "cannot accept connections: " + failed.message());
    }
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](const beast::error_code&) {
      if (acceptor_.is_open()) accept();
    });
  }

  void welcome(tcp::socket socket) {
    const std::uint64_t open = shared_.connections.load();
    const std::uint64_t most = shared_.options.connections_max;
    // Those that are told 503 cost something too.
    if (open >= 2 * most + 1) return;
    const std::shared_ptr<Peer> peer = make_peer(std::move(socket));
    {
      const std::lock_guard lock(mutex_);
      if (shared_.stopping) return;
      std::erase_if(peers_, [](const auto& known) { return known.expired(); });
      peers_.insert(peer);
    }
    peer->start(open >= most);
  }

  // Shared between its pending operation and whoever cancels it.
  std::shared_ptr<Peer> make_peer(tcp::socket socket) {
    if (tls_ == nullptr) {
      return std::make_shared<Connection<beast::tcp_stream>>(shared_, std::move(socket));
    }
    return std::make_shared<Connection<beast::ssl_stream<beast::tcp_stream>>>(
        shared_, std::move(socket), *tls_);
  }

  Shared shared_;
  std::unique_ptr<TlsContext> tls_;  // before io_: the connections in it refer to both
  asio::io_context io_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  bool cannot_accept_ = false;  // on the acceptor's strand
  std::vector<std::thread> threads_;
  std::mutex mutex_;  // guards the member below
  std::set<std::weak_ptr<Peer>, std::owner_less<std::weak_ptr<Peer>>> peers_;
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
