#include "gate_plan.hpp"

#include <utility>

namespace waybill::testing {

void GatePlan::heal() {
  target_.reset();
  seen_ = 0;
  rate_ = 0;
  action_ = GateAction::pass;
  awaiting_ = nullptr;
}

void GatePlan::break_at(const GateMessage& message, GateEnd end) {
  heal();
  has_acted_ = false;
  target_ = message;
  end_ = end;
}

void GatePlan::break_at_random(std::uint64_t seed, double rate) {
  heal();
  has_acted_ = false;
  random_.seed(seed);
  rate_ = rate;
}

void GatePlan::arm(const std::string& text, GateAction action) {
  heal();
  has_acted_ = false;
  text_ = text;
  action_ = action;
}

GateVerdict GatePlan::judge(const void* connection, const PassingMessage& message) {
  const GateVerdict verdict = decide(connection, message);
  if (verdict.end) has_acted_ = true;
  if (verdict.passes) {
    ++passed_[static_cast<std::size_t>(message.from)][static_cast<std::size_t>(message.kind)];
  }
  return verdict;
}

std::size_t GatePlan::passed(GateSender from, GateKind kind) const {
  const auto& by_kind = passed_[static_cast<std::size_t>(from)];
  const std::size_t publishes = by_kind[static_cast<std::size_t>(GateKind::publish)];
  return kind == GateKind::publish ? publishes : publishes + by_kind[0];
}

GateVerdict GatePlan::decide(const void* connection, const PassingMessage& message) {
  if (action_ != GateAction::pass || awaiting_ != nullptr) return at_text(connection, message);
  const auto end = target_ ? at_target(message) : at_random(message);
  return {!end, end};
}

std::optional<GateEnd> GatePlan::at_target(const PassingMessage& message) {
  const bool is_meant = message.from == target_->from &&
                        (target_->kind == GateKind::any || target_->kind == message.kind);
  if (!is_meant || ++seen_ < target_->nth) return std::nullopt;
  if (seen_ > target_->nth && !target_->and_all) return std::nullopt;
  return end_;
}

std::optional<GateEnd> GatePlan::at_random(const PassingMessage& message) {
  if (rate_ <= 0 || message.kind != GateKind::publish) return std::nullopt;
  // Both are always drawn, and not by the library's distributions, which differ.
  const double drawn = static_cast<double>(random_() >> 11) * 0x1p-53;
  const auto end = static_cast<GateEnd>(random_() % 3);
  return drawn < rate_ ? std::optional(end) : std::nullopt;
}

GateVerdict GatePlan::at_text(const void* connection, const PassingMessage& message) {
  if (connection == awaiting_ && message.from == GateSender::server) {
    awaiting_ = nullptr;
    return {false, GateEnd::cut};
  }
  if (message.from != GateSender::client || message.bytes.find(text_) == text_.npos) return {};
  switch (std::exchange(action_, GateAction::pass)) {
    case GateAction::cut_before:
      return {false, GateEnd::cut};
    case GateAction::cut_after:
      awaiting_ = connection;  // the server has worked on the request when it answers
      return {};
    case GateAction::hold_after:
      return {true, GateEnd::black_hole};
    case GateAction::pass:
      break;
  }
  return {};
}

}  // namespace waybill::testing
