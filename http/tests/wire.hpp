// Plain sockets for the tests: a client that sends any bytes, and a server that follows a script.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace waybill::http::testing {

// Every wait here ends after this time; a test that gets so far has failed.
inline constexpr std::chrono::seconds kPatience{10};

// A connected socket. Throws std::runtime_error when the peer is too slow.
class Wire {
 public:
  explicit Wire(int descriptor);  // takes it over
  ~Wire();
  Wire(Wire&& other) noexcept;
  Wire& operator=(Wire&&) = delete;

  // False when the peer no longer listens.
  bool send(std::string_view bytes);
  void finish_sending();
  // Up to and with `end`, or what came until the peer closed.
  std::string read_until(std::string_view end);
  // Header and as much body as its Content-Length says.
  std::string read_message();
  // All until the peer closes.
  std::string read_rest();
  // True once the peer has closed, before any further byte.
  bool is_closed();

 private:
  bool receive();

  int descriptor_;
  std::string received_;
};

[[nodiscard]] Wire connect_to(std::uint16_t port);
// A socket that is not connected yet, and how it connects.
[[nodiscard]] int open_socket();
void connect_socket(int descriptor, std::uint16_t port);

// A port of 127.0.0.1 where nobody listens.
[[nodiscard]] std::uint16_t unused_port();

// Hands each accepted connection to the next step of its script; closes it after the step.
class ScriptedServer {
 public:
  using Step = std::function<void(Wire&)>;
  explicit ScriptedServer(std::vector<Step> script);
  ~ScriptedServer();  // stops accepting; waits for the step that runs

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Connections that a step was found for. Call after the last answer arrived.
  [[nodiscard]] std::size_t accepted() const noexcept { return accepted_; }

 private:
  std::uint16_t port_ = 0;
  int listener_;  // after port_, which it sets
  std::atomic<std::size_t> accepted_ = 0;
  std::jthread thread_;
};

}  // namespace waybill::http::testing
