#include "wire.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace waybill::http::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listen_anywhere(std::uint16_t& port) {
  const int listener = open_socket();
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener, 16) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen");
  }
  port = ntohs(address.sin_port);
  return listener;
}

}  // namespace

Wire::Wire(int descriptor) : descriptor_(descriptor) {
  const timeval patience{kPatience.count(), 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

Wire::~Wire() {
  if (descriptor_ >= 0) close(descriptor_);
}

Wire::Wire(Wire&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), received_(std::move(other.received_)) {}

bool Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) throw std::runtime_error("the peer does not read");
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Wire::finish_sending() {
  shutdown(descriptor_, SHUT_WR);
}

bool Wire::receive() {
  char bytes[16 * 1024];
  const ssize_t got = recv(descriptor_, bytes, sizeof bytes, 0);
  if (got < 0 && errno == EAGAIN) throw std::runtime_error("the peer sends nothing");
  if (got <= 0) return false;
  received_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string Wire::read_until(std::string_view end) {
  std::size_t found = 0;
  while ((found = received_.find(end)) == std::string::npos) {
    if (!receive()) return std::exchange(received_, {});
  }
  std::string read = received_.substr(0, found + end.size());
  received_.erase(0, read.size());
  return read;
}

std::string Wire::read_message() {
  std::string message = read_until("\r\n\r\n");
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t at = message.find(kLength);
  if (at == std::string::npos) return message;
  const std::size_t size = std::stoul(message.substr(at + kLength.size()));
  while (received_.size() < size && receive()) {
  }
  message += received_.substr(0, size);
  received_.erase(0, size);
  return message;
}

std::string Wire::read_rest() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

bool Wire::is_closed() {
  return received_.empty() && !receive();
}

int open_socket() {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw std::runtime_error("no socket");
  return descriptor;
}

void connect_socket(int descriptor, std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
}

Wire connect_to(std::uint16_t port) {
  const int descriptor = open_socket();
  Wire wire(descriptor);
  connect_socket(descriptor, port);
  return wire;
}

std::uint16_t unused_port() {
  std::uint16_t port = 0;
  close(listen_anywhere(port));
  return port;
}

ScriptedServer::ScriptedServer(std::vector<Step> script) : listener_(listen_anywhere(port_)) {
  thread_ = std::jthread([this, script = std::move(script)] {
    for (const Step& step : script) {
      const int descriptor = accept(listener_, nullptr, nullptr);
      if (descriptor < 0) return;
      ++accepted_;
      Wire wire(descriptor);
      try {
        step(wire);
      } catch (const std::exception&) {
        // The client went away, which its own assertions show.
      }
    }
  });
}

ScriptedServer::~ScriptedServer() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

}  // namespace waybill::http::testing
