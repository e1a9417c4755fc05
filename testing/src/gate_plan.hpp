// When the gate breaks which connection: decides, without sockets.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "waybill/testing/tcp_gate.hpp"

namespace waybill::testing {

struct PassingMessage {
  GateSender from = GateSender::client;
  GateKind kind = GateKind::any;  // `publish`, or `any` for all others
  std::string_view bytes;
};

struct GateVerdict {
  bool passes = true;
  std::optional<GateEnd> end = std::nullopt;  // of its connection, afterwards
};

// **Thread safety**: one thread at a time.
class GatePlan {
 public:
  void break_at(const GateMessage& message, GateEnd end);
  void break_at_random(std::uint64_t seed, double rate);
  void arm(const std::string& text, GateAction action);
  void heal();

  // `connection` is anything that tells connections apart.
  [[nodiscard]] GateVerdict judge(const void* connection, const PassingMessage& message);

  [[nodiscard]] bool has_acted() const { return has_acted_; }
  [[nodiscard]] std::size_t passed(GateSender from, GateKind kind) const;

 private:
  [[nodiscard]] GateVerdict decide(const void* connection, const PassingMessage& message);
  [[nodiscard]] std::optional<GateEnd> at_target(const PassingMessage& message);
  [[nodiscard]] std::optional<GateEnd> at_random(const PassingMessage& message);
  [[nodiscard]] GateVerdict at_text(const void* connection, const PassingMessage& message);

  std::optional<GateMessage> target_;
  GateEnd end_ = GateEnd::cut;
  std::size_t seen_ = 0;

  double rate_ = 0;
  std::mt19937_64 random_;

  GateAction action_ = GateAction::pass;
  std::string text_;
  const void* awaiting_ = nullptr;  // the connection whose next answer is dropped

  bool has_acted_ = false;
  std::array<std::array<std::size_t, 2>, 2> passed_{};  // by sender and kind
};

}  // namespace waybill::testing
