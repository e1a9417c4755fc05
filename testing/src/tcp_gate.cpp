#include "waybill/testing/tcp_gate.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <string_view>
#include <system_error>
#include <utility>

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

bool write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

struct TcpGate::Trigger {
  std::mutex mutex;
  std::string text;
  GateAction action = GateAction::pass;

  GateAction take(std::string_view request) {
    const std::lock_guard lock(mutex);
    if (action == GateAction::pass || request.find(text) == request.npos) return GateAction::pass;
    return std::exchange(action, GateAction::pass);
  }
};

// One client with its connection to the server, on a thread of its own.
class TcpGate::Link {
 public:
  Link(TcpGate& gate, int client) : gate_(gate), client_(client), thread_([this] { run(); }) {}
  ~Link() { thread_.join(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

 private:
  void run() {
    server_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = address_of(gate_.host_, gate_.server_port_);
    if (::connect(server_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      forward();
    }
    ::close(server_);
    ::close(client_);
  }

  void forward() {
    while (!gate_.closing_) {
      std::array<pollfd, 2> sockets{{{client_, POLLIN, 0}, {server_, POLLIN, 0}}};
      if (::poll(sockets.data(), sockets.size(), kLookMs) < 0) return;
      if (sockets[0].revents != 0 && !pass_request()) return;
      if (sockets[1].revents != 0 && !pass_answer()) return;
    }
  }

  bool pass_request() {
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(client_, bytes.data(), bytes.size(), 0);
    if (size <= 0) return false;
    const std::string_view request(bytes.data(), static_cast<std::size_t>(size));
    const GateAction action = gate_.trigger_->take(request);
    if (action == GateAction::pass) return write_all(server_, request);
    if (action != GateAction::cut_before) write_all(server_, request);
    if (action == GateAction::hold_after) is_black_hole_ = true;
    if (action == GateAction::cut_after) await_answer();
    gate_.acted_ = true;
    return action == GateAction::hold_after;
  }

  // The server has worked on the request when it answers; the answer is dropped.
  void await_answer() {
    pollfd socket{server_, POLLIN, 0};
    while (!gate_.closing_ && ::poll(&socket, 1, kLookMs) == 0) {
    }
  }

  bool pass_answer() {
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(server_, bytes.data(), bytes.size(), 0);
    if (size <= 0) return false;
    if (is_black_hole_) return true;
    return write_all(client_, {bytes.data(), static_cast<std::size_t>(size)});
  }

  TcpGate& gate_;
  const int client_;
  int server_ = -1;
  bool is_black_hole_ = false;
  std::thread thread_;
};

TcpGate::TcpGate(std::string host, std::uint16_t port)
    : host_(std::move(host)), server_port_(port), trigger_(std::make_unique<Trigger>()) {
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

void TcpGate::arm(const std::string& request_holds, GateAction action) {
  const std::lock_guard lock(trigger_->mutex);
  trigger_->text = request_holds;
  trigger_->action = action;
  acted_ = false;
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
