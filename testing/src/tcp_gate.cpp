#include "waybill/testing/tcp_gate.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "gate_conversation.hpp"
#include "gate_plan.hpp"

namespace waybill::testing {
namespace {

constexpr int kLookMs = 20;  // how soon a closing gate is noticed

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), host);
  }
  return address;
}

void set_option(int socket, int level, int option, const auto& value) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

struct TcpGate::Plan {
  mutable std::mutex mutex;
  GatePlan plan;
};

// One client with its connection to the server, on a thread of its own.
class TcpGate::Link {
 public:
  Link(TcpGate& gate, int client)
      : gate_(gate),
        client_(client),
        conversation_(gate.protocol_, gate.host_, gate.server_port_, gate.port_),
        thread_([this] { run(); }) {}
  ~Link() { thread_.join(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

 private:
  void run() {
    server_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = address_of(gate_.host_, gate_.server_port_);
    if (::connect(server_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      for (const int socket : {client_, server_}) {
        set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(socket, SOL_SOCKET, SO_SNDTIMEO, timeval{0, kLookMs * 1000});
      }
      try {
        forward();
      } catch (const std::runtime_error&) {
        // Not of the protocol: closed.
      }
    }
    end();
    ::close(server_);
    ::close(client_);
  }

  void forward() {
    while (!gate_.closing_) {
      std::array<pollfd, 2> sockets{{{client_, POLLIN, 0}, {server_, POLLIN, 0}}};
      if (::poll(sockets.data(), sockets.size(), kLookMs) < 0) return;
      if (sockets[0].revents != 0 && !pass(GateSender::client, client_, server_)) return;
      if (sockets[1].revents != 0 && !pass(GateSender::server, server_, client_)) return;
    }
  }

  // False: nothing passes any more.
  bool pass(GateSender from, int source, int target) {
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(source, bytes.data(), bytes.size(), 0);
    if (size <= 0) return false;
    bool goes_on = true;
    conversation_.feed(from, {bytes.data(), static_cast<std::size_t>(size)},
                       [&](const PassingMessage& message) {
                         const GateVerdict verdict = judge(message);
                         end_ = verdict.end;
                         goes_on = (!verdict.passes || write_all(target, message.bytes)) && !end_;
                         return goes_on;
                       });
    return goes_on;
  }

  // Whoever reads nothing is waited for, but not by a closing gate.
  bool write_all(int socket, std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (written < 0 && errno == EAGAIN && !gate_.closing_) continue;
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  GateVerdict judge(const PassingMessage& message) {
    const std::lock_guard lock(gate_.plan_->mutex);
    return gate_.plan_->plan.judge(this, message);
  }

  void end() const {
    if (end_ == GateEnd::reset) {
      for (const int socket : {client_, server_}) {
        set_option(socket, SOL_SOCKET, SO_LINGER, linger{1, 0});
      }
    }
    while (end_ == GateEnd::black_hole && !gate_.closing_) {
      ::poll(nullptr, 0, kLookMs);
    }
  }

  TcpGate& gate_;
  const int client_;
  int server_ = -1;
  GateConversation conversation_;
  std::optional<GateEnd> end_;
  std::thread thread_;  // last: it uses the others
};

TcpGate::TcpGate(std::string host, std::uint16_t port, GateProtocol protocol)
    : host_(std::move(host)),
      server_port_(port),
      protocol_(protocol),
      plan_(std::make_unique<Plan>()) {
  static_cast<void>(address_of(host_, server_port_));
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0) fail("socket");
  sockaddr_in address = address_of("127.0.0.1", 0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ::close(listener_);
    fail("listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

TcpGate::~TcpGate() {
  closing_ = true;
  acceptor_.join();
  ::close(listener_);
}

void TcpGate::break_at(const GateMessage& message, GateEnd end) {
  const std::lock_guard lock(plan_->mutex);
  plan_->plan.break_at(message, end);
}

void TcpGate::break_at_random(std::uint64_t seed, double rate) {
  const std::lock_guard lock(plan_->mutex);
  plan_->plan.break_at_random(seed, rate);
}

void TcpGate::arm(const std::string& request_holds, GateAction action) {
  const std::lock_guard lock(plan_->mutex);
  plan_->plan.arm(request_holds, action);
}

void TcpGate::heal() {
  const std::lock_guard lock(plan_->mutex);
  plan_->plan.heal();
}

bool TcpGate::has_acted() const {
  const std::lock_guard lock(plan_->mutex);
  return plan_->plan.has_acted();
}

std::size_t TcpGate::passed(GateSender from, GateKind kind) const {
  const std::lock_guard lock(plan_->mutex);
  return plan_->plan.passed(from, kind);
}

void TcpGate::accept() {
  while (!closing_) {
    pollfd socket{listener_, POLLIN, 0};
    if (::poll(&socket, 1, kLookMs) <= 0) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) links_.push_back(std::make_unique<Link>(*this, client));
  }
  links_.clear();
}

}  // namespace waybill::testing
