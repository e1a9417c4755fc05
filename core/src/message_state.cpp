#include "waybill/message_state.hpp"

#include <algorithm>

namespace waybill {
namespace {

using enum MessageState;

// Operators and consumers may act on rows in many states; the relay on few.
constexpr Transition kTransitions[] = {
    {INIT, Cause::acked, SUCCESS},
    {RETRY, Cause::acked, SUCCESS},

    {INIT, Cause::acked_unconfirmed, SENT},
    {SENT, Cause::acked_unconfirmed, RETRY},  // overdue and published again
    {RETRY, Cause::acked_unconfirmed, RETRY},

    {INIT, Cause::confirmed, SUCCESS},
    {SENT, Cause::confirmed, SUCCESS},
    {RETRY, Cause::confirmed, SUCCESS},
    {PARKED, Cause::confirmed, SUCCESS},
    {DEAD, Cause::confirmed, SUCCESS},
    {CANCELLED, Cause::confirmed, SUCCESS},

    {INIT, Cause::consumer_later, RETRY},
    {SENT, Cause::consumer_later, RETRY},
    {RETRY, Cause::consumer_later, RETRY},

    {INIT, Cause::consumer_failed, DEAD},
    {SENT, Cause::consumer_failed, DEAD},
    {RETRY, Cause::consumer_failed, DEAD},
    {PARKED, Cause::consumer_failed, DEAD},

    {INIT, Cause::refused, RETRY},
    {SENT, Cause::refused, RETRY},  // the copy of an overdue row was refused
    {RETRY, Cause::refused, RETRY},

    {INIT, Cause::refused_for_good, DEAD},
    {RETRY, Cause::refused_for_good, DEAD},
    {PARKED, Cause::refused_for_good, DEAD},

    {INIT, Cause::stuck_behind, PARKED},
    {RETRY, Cause::stuck_behind, PARKED},
    {PARKED, Cause::unblocked, RETRY},

    {SENT, Cause::horizon_passed, DEAD},
    {RETRY, Cause::horizon_passed, DEAD},

    {INIT, Cause::cancelled, CANCELLED},
    {SENT, Cause::cancelled, CANCELLED},
    {RETRY, Cause::cancelled, CANCELLED},
    {PARKED, Cause::cancelled, CANCELLED},
    {DEAD, Cause::cancelled, CANCELLED},

    {SENT, Cause::resend, RETRY},
    {RETRY, Cause::resend, RETRY},
    {PARKED, Cause::resend, RETRY},

    {DEAD, Cause::replay, RETRY},
    {CANCELLED, Cause::replay, RETRY},
    {SUCCESS, Cause::replay, RETRY},
};

}  // namespace

std::span<const Transition> transitions() noexcept {
  return kTransitions;
}

std::optional<MessageState> next_state(MessageState from, Cause cause) noexcept {
  const auto* found =
      std::find_if(std::begin(kTransitions), std::end(kTransitions),
                   [&](const Transition& t) { return t.from == from && t.cause == cause; });
  if (found == std::end(kTransitions)) return std::nullopt;
  return found->to;
}

bool is_judgement(Cause cause) noexcept {
  switch (cause) {
    case Cause::refused:
    case Cause::refused_for_good:
    case Cause::stuck_behind:
    case Cause::unblocked:
    case Cause::horizon_passed:
      return true;
    default:
      return false;
  }
}

bool is_final(MessageState state) noexcept {
  return state == SUCCESS || state == DEAD || state == CANCELLED;
}

}  // namespace waybill
