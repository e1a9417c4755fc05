#include "gate_conversation.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace waybill::testing {
namespace {

using std::string_literals::operator""s;

struct Told {
  GateKind kind;
  std::string bytes;
  bool operator==(const Told&) const = default;
};

std::vector<Told> feed(GateConversation& conversation, GateSender from, std::string_view bytes) {
  std::vector<Told> told;
  conversation.feed(from, bytes, [&](const PassingMessage& message) {
    EXPECT_EQ(message.from, from);
    told.push_back({message.kind, std::string(message.bytes)});
    return true;
  });
  return told;
}

GateConversation conversation_in(GateProtocol protocol) {
  return {protocol, "127.0.0.1", 9092, 4660};  // 0x2384 and 0x1234
}

// type, channel 1, payload
std::string frame(char type, const std::string& payload) {
  return type + "\0\1\0\0\0"s + static_cast<char>(payload.size()) + payload + '\xCE';
}

const std::string kPublishFrame = frame(1, "\0\x3C\0\x28\0\0\1q\0"s);
const std::string kAckFrame = frame(1, "\0\x3C\0\x50\0\0\0\0\0\0\0\1\0"s);
const std::string kBodyFrame = frame(3, "\0\x3C\0\x28 looks like a publish"s);

TEST(GateConversation, takes_what_arrives_at_once_for_a_message) {
  auto conversation = conversation_in(GateProtocol::bytes);
  EXPECT_EQ(feed(conversation, GateSender::client, "COMMIT"),
            (std::vector<Told>{{GateKind::any, "COMMIT"}}));
}

TEST(GateConversation, tells_amqp_frames_apart_however_they_arrive) {
  auto conversation = conversation_in(GateProtocol::amqp);
  const std::string all = "AMQP\0\0\x09\1"s + kPublishFrame + kBodyFrame + kAckFrame;
  std::vector<Told> told;
  for (const char byte : all) {
    for (Told& message : feed(conversation, GateSender::client, {&byte, 1}))
      told.push_back(message);
  }
  EXPECT_EQ(told, (std::vector<Told>{{GateKind::any, "AMQP\0\0\x09\1"s},
                                     {GateKind::publish, kPublishFrame},
                                     {GateKind::any, kBodyFrame},
                                     // A client's ack is a consumer's.
                                     {GateKind::any, kAckFrame}}));
}

TEST(GateConversation, knows_a_brokers_ack_and_nack) {
  auto conversation = conversation_in(GateProtocol::amqp);
  const std::string nack = frame(1, "\0\x3C\0\x78\0\0\0\0\0\0\0\1\0"s);
  const std::string heartbeat = "\x08\0\0\0\0\0\0\xCE"s;
  EXPECT_EQ(feed(conversation, GateSender::server, heartbeat + kAckFrame + nack + kPublishFrame),
            (std::vector<Told>{{GateKind::any, heartbeat},
                               {GateKind::publish, kAckFrame},
                               {GateKind::publish, nack},
                               {GateKind::any, kPublishFrame}}));
}

// size, api key, version, correlation id, the rest
std::string request(char api_key, char correlation) {
  return "\0\0\0\x0C\0"s + api_key + "\0\x09\0\0\0"s + correlation + "rest";
}

std::string response(char correlation, const std::string& rest) {
  return "\0\0\0"s + static_cast<char>(4 + rest.size()) + "\0\0\0"s + correlation + rest;
}

TEST(GateConversation, knows_the_answer_to_a_produce_request_by_its_correlation_id) {
  auto conversation = conversation_in(GateProtocol::kafka);
  EXPECT_EQ(
      feed(conversation, GateSender::client, request(18, 1) + request(0, 2)),
      (std::vector<Told>{{GateKind::any, request(18, 1)}, {GateKind::publish, request(0, 2)}}));
  const std::string to_first = response(1, "x");
  const std::string to_second = response(2, "");
  EXPECT_EQ(
      feed(conversation, GateSender::server, to_first + to_second + to_second),
      (std::vector<Told>{
          {GateKind::any, to_first}, {GateKind::publish, to_second}, {GateKind::any, to_second}}));
}

TEST(GateConversation, replaces_the_servers_port_in_metadata_only) {
  auto conversation = conversation_in(GateProtocol::kafka);
  const std::string address = "\x0A"s + "127.0.0.1\0\0\x23\x84 "s;
  const std::string replaced = "\x0A"s + "127.0.0.1\0\0\x12\x34 "s;
  feed(conversation, GateSender::client, request(3, 1) + request(10, 2) + request(1, 3));
  const std::string fetched = response(3, address);
  EXPECT_EQ(feed(conversation, GateSender::server,
                 response(1, address + address) + response(2, address) + fetched),
            (std::vector<Told>{{GateKind::any, response(1, replaced + replaced)},
                               {GateKind::any, response(2, replaced)},
                               {GateKind::any, fetched}}));
}

TEST(GateConversation, tells_nothing_more_when_told_so) {
  auto conversation = conversation_in(GateProtocol::amqp);
  int told = 0;
  conversation.feed(GateSender::client, kPublishFrame + kBodyFrame, [&](const PassingMessage&) {
    ++told;
    return false;
  });
  EXPECT_EQ(told, 1);
}

TEST(GateConversation, refuses_what_is_not_of_the_protocol) {
  const std::string hello = "\x16\x03\x01\x02\x05\x01\x02\x03\x04\x05\x06\x07"s;  // TLS
  for (const GateProtocol protocol : {GateProtocol::amqp, GateProtocol::kafka}) {
    auto conversation = conversation_in(protocol);
    EXPECT_THROW(feed(conversation, GateSender::client, hello), std::runtime_error);
  }
  auto conversation = conversation_in(GateProtocol::amqp);
  EXPECT_THROW(feed(conversation, GateSender::client, "\x08\0\0\0\0\0\0!"s), std::runtime_error);
}

}  // namespace
}  // namespace waybill::testing
