// The messages in a connection's two streams of bytes: parses, without sockets.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gate_plan.hpp"

namespace waybill::testing {

// One connection. A message is told when its last byte is there; with that it may be changed: the
// port of a Kafka broker in an answer becomes the gate's, so that its client comes through it.
class GateConversation {
 public:
  GateConversation(GateProtocol protocol, std::string host, std::uint16_t server_port,
                   std::uint16_t gate_port);

  // Calls `tell` for each message that `bytes` complete, until it answers false.
  // **Errors**: std::runtime_error for what cannot be of the protocol.
  using Tell = std::function<bool(const PassingMessage&)>;
  void feed(GateSender from, std::string_view bytes, const Tell& tell);

 private:
  // The size of the message at the start of `bytes`, as far as that is known; else of what tells.
  [[nodiscard]] std::size_t size_of(std::string_view bytes) const;
  [[nodiscard]] GateKind look_at(GateSender from, std::string& message);
  [[nodiscard]] GateKind look_at_kafka(GateSender from, std::string& message);
  void replace_addresses(std::string& message) const;

  const GateProtocol protocol_;
  const std::string host_;
  const std::uint16_t server_port_;
  const std::uint16_t gate_port_;
  std::array<std::string, 2> pending_;               // by sender
  std::map<std::uint32_t, std::uint16_t> api_keys_;  // of requests not yet answered, by correlation
};

}  // namespace waybill::testing
