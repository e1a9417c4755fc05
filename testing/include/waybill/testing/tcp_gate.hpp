// A TCP proxy for tests that cuts, holds or drops what passes between a client and a server.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waybill::testing {

enum class GateAction {
  pass,
  cut_before,  // the request is not passed on, and both sides are closed
  cut_after,   // the request is passed on; the answer is dropped, and both sides are closed
  hold_after,  // the request is passed on; nothing comes back, and nothing is closed (a black hole)
};

// Listens on a free loopback port and forwards each connection to host:port. Armed, it acts once,
// on the first request that holds the text.
// **Thread safety**: all members from any thread.
class TcpGate {
 public:
  // Throws std::system_error when it cannot listen.
  TcpGate(std::string host, std::uint16_t port);
  ~TcpGate();  // closes everything
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void arm(const std::string& request_holds, GateAction action);
  [[nodiscard]] bool has_acted() const { return acted_; }

 private:
  class Link;
  void accept();

  const std::string host_;
  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> closing_{false};
  std::atomic<bool> acted_{false};
  struct Trigger;
  std::unique_ptr<Trigger> trigger_;
  std::thread acceptor_;
  std::vector<std::unique_ptr<Link>> links_;  // of the acceptor
};

}  // namespace waybill::testing
