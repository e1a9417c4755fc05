// A TCP proxy for tests that breaks a connection between a client and a server at a chosen message.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waybill::testing {

// How the gate tells one message from the next.
enum class GateProtocol {
  bytes,  // whatever arrives at once is a message: PostgreSQL, MariaDB, HTTP
  amqp,   // AMQP 0-9-1: a frame is a message
  kafka,  // a request or its response; broker addresses in them are replaced by the gate's
};

enum class GateSender { client, server };

enum class GateKind {
  any,
  publish,  // of the client: basic.publish, Produce; of the server: its basic.ack or nack, response
};

enum class GateEnd {
  cut,         // both sides are closed
  reset,       // both sides get a RST
  black_hole,  // nothing passes any more in either direction, and nothing is closed
};

// The nth message of a kind, counted from break_at() over all connections. It does not pass, nor
// does what comes after it on its connection; other connections, also new ones, are not touched.
struct GateMessage {
  GateSender from = GateSender::client;
  GateKind kind = GateKind::any;
  std::size_t nth = 1;   // from 1
  bool and_all = false;  // each later one too, until heal()
};

// What happens to a request that holds a text.
enum class GateAction {
  pass,
  cut_before,  // the request is not passed on, and both sides are closed
  cut_after,   // the request is passed on; the answer is dropped, and both sides are closed
  hold_after,  // the request is passed on; then the connection is a black hole
};

// Listens on a free loopback port and forwards each connection to host:port. What it was told last
// counts: arm(), break_at(), break_at_random() or heal().
//
//   TcpGate gate("127.0.0.1", 9092, GateProtocol::kafka);
//   // "The broker got it, the sender saw a time-out": the publish passes, its answer does not, and
//   // nobody is told. A publisher on gate.port() says `unknown` after its time-out.
//   gate.break_at({GateSender::server, GateKind::publish}, GateEnd::black_hole);
//   // "The broker never got it": the same with GateSender::client.
//
// A Kafka producer whose connection is cut asks again by itself and learns the outcome; only a
// black hole, or cutting each answer (and_all) until its publish_timeout, leaves it in doubt.
// **Errors**: a server that is not there closes the client's connection; so do bytes that are not
// of the protocol (TLS is none). **Thread safety**: all members from any thread.
class TcpGate {
 public:
  // Throws std::system_error when it cannot listen, or when host is no IPv4 address.
  TcpGate(std::string host, std::uint16_t port, GateProtocol protocol = GateProtocol::bytes);
  ~TcpGate();  // closes everything
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  void break_at(const GateMessage& message, GateEnd end);
  // Breaks at publishes and at their answers, each with probability `rate` (0…1), in one of the
  // three ways; the same seed and messages give the same breaks.
  void break_at_random(std::uint64_t seed, double rate);
  // Once, at the first request that holds the text.
  void arm(const std::string& request_holds, GateAction action);
  // Nothing is broken any more. A black hole stays one until the gate is destroyed.
  void heal();

  // Whether a connection was broken since it was told to.
  [[nodiscard]] bool has_acted() const;
  // Whole messages that were let through since the gate is there.
  [[nodiscard]] std::size_t passed(GateSender from, GateKind kind) const;

 private:
  class Link;
  void accept();

  const std::string host_;
  const std::uint16_t server_port_;
  const GateProtocol protocol_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> closing_{false};
  struct Plan;
  std::unique_ptr<Plan> plan_;
  std::thread acceptor_;
  std::vector<std::unique_ptr<Link>> links_;  // of the acceptor
};

}  // namespace waybill::testing
