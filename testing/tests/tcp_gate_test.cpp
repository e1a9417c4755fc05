#include "waybill/testing/tcp_gate.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <system_error>

namespace waybill::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Answers each part that it receives with the same.
class EchoServer {
 public:
  EchoServer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~EchoServer() {
    closing_ = true;
    thread_.join();
    for (const auto& [socket, received] : clients_) ::close(socket);
    ::close(listener_);
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void serve() {
    while (!closing_) {
      std::vector<pollfd> sockets = {{listener_, POLLIN, 0}};
      for (const auto& [socket, is_open] : clients_) {
        if (is_open) sockets.push_back({socket, POLLIN, 0});
      }
      ::poll(sockets.data(), sockets.size(), 5);
      for (const pollfd& ready : sockets) {
        if (ready.revents == 0) continue;
        if (ready.fd == listener_) {
          clients_[::accept(listener_, nullptr, nullptr)] = true;
        } else {
          echo(ready.fd);
        }
      }
    }
  }
  void echo(int socket) {
    std::array<char, 1024> part{};
    const ssize_t size = ::recv(socket, part.data(), part.size(), 0);
    clients_[socket] = size > 0;
    if (size <= 0) return;
    bytes_ += static_cast<std::size_t>(size);
    ::send(socket, part.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::map<int, bool> clients_;
  std::atomic<bool> closing_{false};
  std::atomic<std::size_t> bytes_{0};
  std::thread thread_;
};

class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in address = loopback(port);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::system_error(errno, std::generic_category(), "connect");
    }
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // As much as goes now; false when nothing does for 300 ms, because nobody reads any more.
  [[nodiscard]] bool push(const std::string& text) const {
    pollfd ready{socket_, POLLOUT, 0};
    return ::poll(&ready, 1, 300) == 1 &&
           ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
  }

  // What comes back: the answer, "closed", "reset", or "nothing" within 100 ms.
  std::string ask(const std::string& text, int patience_ms = 5000) {
    ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, patience_ms) == 0) return "nothing";
    std::array<char, 1024> part{};
    const ssize_t size = ::recv(socket_, part.data(), part.size(), 0);
    if (size > 0) return {part.data(), static_cast<std::size_t>(size)};
    return size == 0 ? "closed" : errno == ECONNRESET ? "reset" : "error";
  }

 private:
  int socket_;
};

class TcpGateTest : public ::testing::Test {
 protected:
  EchoServer server;
  TcpGate gate{"127.0.0.1", server.port()};
};

TEST_F(TcpGateTest, passes_everything_in_both_directions) {
  Client client(gate.port());
  EXPECT_EQ(client.ask("one"), "one");
  EXPECT_EQ(client.ask("two"), "two");
  EXPECT_EQ(gate.passed(GateSender::client, GateKind::any), 2U);
  EXPECT_EQ(gate.passed(GateSender::server, GateKind::any), 2U);
  EXPECT_FALSE(gate.has_acted());
}

TEST_F(TcpGateTest, a_message_that_the_gate_breaks_at_does_not_pass) {
  Client client(gate.port());
  ASSERT_EQ(client.ask("one"), "one");
  gate.break_at({GateSender::client}, GateEnd::cut);
  EXPECT_EQ(client.ask("four"), "closed");
  EXPECT_EQ(server.bytes(), 3U);
  EXPECT_TRUE(gate.has_acted());
}

TEST_F(TcpGateTest, an_answer_that_the_gate_breaks_at_was_given) {
  Client client(gate.port());
  gate.break_at({GateSender::server}, GateEnd::reset);
  EXPECT_EQ(client.ask("four"), "reset");
  EXPECT_EQ(server.bytes(), 4U);
}

TEST_F(TcpGateTest, a_black_hole_answers_nothing_and_closes_nothing_and_others_go_on) {
  Client client(gate.port());
  gate.break_at({GateSender::server}, GateEnd::black_hole);
  EXPECT_EQ(client.ask("one", 100), "nothing");
  EXPECT_EQ(client.ask("two", 100), "nothing");
  EXPECT_EQ(server.bytes(), 3U);
  EXPECT_EQ(Client(gate.port()).ask("four"), "four");
}

TEST_F(TcpGateTest, a_server_that_is_not_there_closes_the_connection) {
  const std::uint16_t nobody = [] { return EchoServer().port(); }();
  TcpGate to_nobody("127.0.0.1", nobody);
  EXPECT_NE(Client(to_nobody.port()).ask("one"), "one");
}

TEST_F(TcpGateTest, a_gate_that_closes_does_not_wait_for_a_server_that_reads_nothing) {
  const int deaf = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(deaf, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(deaf, 1), 0);
  ASSERT_EQ(::getsockname(deaf, reinterpret_cast<sockaddr*>(&address), &size), 0);
  {
    TcpGate to_deaf("127.0.0.1", ntohs(address.sin_port));
    Client client(to_deaf.port());
    while (client.push(std::string(1 << 20, 'x'))) {
    }
    EXPECT_GT(to_deaf.passed(GateSender::client, GateKind::any), 0U);
  }
  ::close(deaf);
}

TEST_F(TcpGateTest, a_host_that_is_no_address_is_refused) {
  EXPECT_THROW(TcpGate("localhost", 1), std::system_error);
}

}  // namespace
}  // namespace waybill::testing
