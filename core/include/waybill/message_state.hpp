// The states of a message row and the one table of their legal changes.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace waybill {

// Spelled as stored. A state in the table outside this set is reported and left alone.
enum class MessageState {
  INIT,       // may be published now
  SENT,       // the broker has it; waiting for its consumers
  RETRY,      // to be published again at delivery.next_attempt_at
  PARKED,     // waits behind an earlier row of its key
  SUCCESS,    // final: the broker has it and every required consumer said done
  DEAD,       // final for a recorded reason; replayable
  CANCELLED,  // final: an operator withdrew it
};

inline constexpr std::array kMessageStates = {
    MessageState::INIT,    MessageState::SENT, MessageState::RETRY,    MessageState::PARKED,
    MessageState::SUCCESS, MessageState::DEAD, MessageState::CANCELLED};

// Why a row changes state.
enum class Cause {
  acked,              // fact: the broker has it, no confirmation is asked
  acked_unconfirmed,  // fact: the broker has it, a confirmation is asked
  confirmed,          // fact: every required consumer said done
  consumer_later,     // a consumer asked for it later
  consumer_failed,    // a consumer refused it for good, in the current epoch
  refused,            // judgement: the broker refused this message; try again
  refused_for_good,   // judgement: no more tries
  stuck_behind,       // judgement: an earlier row of its key is stuck
  unblocked,          // judgement: nothing before it is stuck any more
  horizon_passed,     // judgement: its consumer's inbox may have forgotten it
  cancelled,          // operator
  resend,             // operator
  replay,             // operator or reconcile; raises the epoch
};

// One legal change. Facts need no lease; judgements carry the relay's fence.
struct Transition {
  MessageState from;
  Cause cause;
  MessageState to;
};

[[nodiscard]] std::string_view to_string(MessageState state) noexcept;
[[nodiscard]] std::string_view to_string(Cause cause) noexcept;
[[nodiscard]] std::optional<MessageState> parse_message_state(std::string_view text) noexcept;

// Every legal change, each once.
[[nodiscard]] std::span<const Transition> transitions() noexcept;

// Where `cause` takes a row in `from`, or nothing when that change is illegal.
[[nodiscard]] std::optional<MessageState> next_state(MessageState from, Cause cause) noexcept;

// True for the relay's judgements, which are written only under its fence.
[[nodiscard]] bool is_judgement(Cause cause) noexcept;

// True for SUCCESS, DEAD and CANCELLED.
[[nodiscard]] bool is_final(MessageState state) noexcept;

}  // namespace waybill
