#include "gate_conversation.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace waybill::testing {
namespace {

constexpr std::size_t kMessageBytesMax = std::size_t{128} << 20;

// AMQP 0-9-1: type, channel, size, payload, end.
constexpr std::string_view kAmqpGreeting = "AMQP";
constexpr std::size_t kGreetingBytes = 8;
constexpr std::size_t kFrameHeadBytes = 7;
constexpr std::string_view kFrameTypes = "\1\2\3\x08";  // method, header, body, heartbeat
constexpr char kMethodFrame = 1;
constexpr char kFrameEnd = '\xCE';
constexpr std::uint32_t kBasicPublish = 60U << 16 | 40;
constexpr std::uint32_t kBasicAck = 60U << 16 | 80;
constexpr std::uint32_t kBasicNack = 60U << 16 | 120;

// Kafka: size, then api key, version, correlation id; or size, correlation id.
constexpr std::size_t kSizeBytes = 4;
constexpr std::size_t kRequestHeadBytes = 12;
constexpr std::size_t kResponseHeadBytes = 8;
constexpr std::uint16_t kProduce = 0;
constexpr std::uint16_t kMetadata = 3;
constexpr std::uint16_t kFindCoordinator = 10;

[[noreturn]] void refuse() {
  throw std::runtime_error("not of the gate's protocol");
}

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(at, size))
    number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

std::size_t checked(std::size_t size) {
  if (size > kMessageBytesMax) refuse();
  return size;
}

GateKind kind_of_frame(GateSender from, std::string_view frame) {
  if (frame[0] != kMethodFrame || frame.size() < kFrameHeadBytes + 4) return GateKind::any;
  const std::uint32_t method = number_at(frame, kFrameHeadBytes, 4);
  const bool is_publish = from == GateSender::client ? method == kBasicPublish
                                                     : method == kBasicAck || method == kBasicNack;
  return is_publish ? GateKind::publish : GateKind::any;
}

}  // namespace

GateConversation::GateConversation(GateProtocol protocol, std::string host,
                                   std::uint16_t server_port, std::uint16_t gate_port)
    : protocol_(protocol),
      host_(std::move(host)),
      server_port_(server_port),
      gate_port_(gate_port) {}

void GateConversation::feed(GateSender from, std::string_view bytes, const Tell& tell) {
  std::string& pending = pending_[static_cast<std::size_t>(from)];
  pending += bytes;
  std::size_t done = 0;
  bool goes_on = true;
  while (goes_on && done < pending.size()) {
    const std::string_view rest = std::string_view(pending).substr(done);
    const std::size_t size = size_of(rest);
    if (rest.size() < size) break;
    std::string message(rest.substr(0, size));
    done += size;
    const GateKind kind = look_at(from, message);
    goes_on = tell({from, kind, message});
  }
  pending.erase(0, done);
}

std::size_t GateConversation::size_of(std::string_view bytes) const {
  if (protocol_ == GateProtocol::bytes) return bytes.size();
  if (protocol_ == GateProtocol::kafka) {
    if (bytes.size() < kSizeBytes) return kSizeBytes;
    return checked(kSizeBytes + number_at(bytes, 0, kSizeBytes));
  }
  if (bytes[0] == kAmqpGreeting[0]) return kGreetingBytes;
  if (kFrameTypes.find(bytes[0]) == kFrameTypes.npos) refuse();
  if (bytes.size() < kFrameHeadBytes) return kFrameHeadBytes;
  return checked(kFrameHeadBytes + number_at(bytes, 3, 4) + 1);
}

GateKind GateConversation::look_at(GateSender from, std::string& message) {
  if (protocol_ == GateProtocol::bytes) return GateKind::any;
  if (protocol_ == GateProtocol::kafka) return look_at_kafka(from, message);
  if (message.starts_with(kAmqpGreeting)) return GateKind::any;
  if (message.back() != kFrameEnd) refuse();
  return kind_of_frame(from, message);
}

GateKind GateConversation::look_at_kafka(GateSender from, std::string& message) {
  if (message.size() < (from == GateSender::client ? kRequestHeadBytes : kResponseHeadBytes)) {
    refuse();
  }
  if (from == GateSender::client) {
    const auto api_key = static_cast<std::uint16_t>(number_at(message, kSizeBytes, 2));
    api_keys_[number_at(message, 8, 4)] = api_key;
    return api_key == kProduce ? GateKind::publish : GateKind::any;
  }
  const auto request = api_keys_.extract(number_at(message, kSizeBytes, 4));
  if (request.empty()) return GateKind::any;
  if (request.mapped() == kMetadata || request.mapped() == kFindCoordinator) {
    replace_addresses(message);
  }
  return request.mapped() == kProduce ? GateKind::publish : GateKind::any;
}

// In every version of these answers a port follows its host, as four bytes.
void GateConversation::replace_addresses(std::string& message) const {
  const std::string server = host_ + big_endian(server_port_);
  const std::string gate = host_ + big_endian(gate_port_);
  for (std::size_t at = 0; (at = message.find(server, at)) != message.npos; at += gate.size()) {
    message.replace(at, server.size(), gate);
  }
}

}  // namespace waybill::testing
