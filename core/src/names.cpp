// The spelling of every enumerator that is stored, served or printed, in one place.
#include <string>

#include "waybill/confirmation.hpp"
#include "waybill/message_state.hpp"
#include "waybill/publisher.hpp"
#include "waybill/route.hpp"

namespace waybill {
namespace {

template <class E>
struct Name {
  E value;
  std::string_view text;
};

constexpr Name<MessageState> kStates[] = {
    {MessageState::INIT, "INIT"},          {MessageState::SENT, "SENT"},
    {MessageState::RETRY, "RETRY"},        {MessageState::PARKED, "PARKED"},
    {MessageState::SUCCESS, "SUCCESS"},    {MessageState::DEAD, "DEAD"},
    {MessageState::CANCELLED, "CANCELLED"}};
constexpr Name<Cause> kCauses[] = {{Cause::acked, "acked"},
                                   {Cause::acked_unconfirmed, "acked_unconfirmed"},
                                   {Cause::confirmed, "confirmed"},
                                   {Cause::consumer_later, "consumer_later"},
                                   {Cause::consumer_failed, "consumer_failed"},
                                   {Cause::refused, "refused"},
                                   {Cause::refused_for_good, "refused_for_good"},
                                   {Cause::stuck_behind, "stuck_behind"},
                                   {Cause::unblocked, "unblocked"},
                                   {Cause::horizon_passed, "horizon_passed"},
                                   {Cause::cancelled, "cancelled"},
                                   {Cause::resend, "resend"},
                                   {Cause::replay, "replay"}};
constexpr Name<Ordering> kOrderings[] = {
    {Ordering::none, "none"}, {Ordering::publish, "publish"}, {Ordering::confirmed, "confirmed"}};
constexpr Name<Dispatch> kDispatches[] = {
    {Dispatch::relay, "relay"}, {Dispatch::async, "async"}, {Dispatch::sync, "sync"}};
constexpr Name<Verdict> kVerdicts[] = {
    {Verdict::done, "done"}, {Verdict::failed, "failed"}, {Verdict::later, "later"}};
constexpr Name<ConfirmResult> kConfirmResults[] = {{ConfirmResult::done, "done"},
                                                   {ConfirmResult::done_though_cancelled, "done"},
                                                   {ConfirmResult::already, "already"},
                                                   {ConfirmResult::not_found, "not_found"}};
constexpr Name<PublishResult> kPublishResults[] = {
    {PublishResult::acked, "acked"},
    {PublishResult::rejected, "rejected"},
    {PublishResult::destination_down, "destination_down"},
    {PublishResult::unreachable, "unreachable"},
    {PublishResult::throttled, "throttled"},
    {PublishResult::unknown, "unknown"}};

template <class E, std::size_t N>
std::string_view name_of(const Name<E> (&names)[N], E value) noexcept {
  for (const auto& name : names) {
    if (name.value == value) return name.text;
  }
  return "?";
}

template <class E, std::size_t N>
std::optional<E> value_of(const Name<E> (&names)[N], std::string_view text) noexcept {
  for (const auto& name : names) {
    if (name.text == text) return name.value;
  }
  return std::nullopt;
}

template <class E, std::size_t N>
Result<E> parse(const Name<E> (&names)[N], std::string_view text, std::string_view what) {
  if (const auto value = value_of(names, text)) return *value;
  std::string known;
  for (const auto& name : names) {
    if (!known.empty()) known += ", ";
    known += name.text;
  }
  return Error{Remedy::fix_call, "unknown " + std::string(what) + " '" + std::string(text) + "'",
               "one of: " + known};
}

}  // namespace

std::string_view to_string(MessageState state) noexcept {
  return name_of(kStates, state);
}
std::string_view to_string(Cause cause) noexcept {
  return name_of(kCauses, cause);
}
std::string_view to_string(Ordering ordering) noexcept {
  return name_of(kOrderings, ordering);
}
std::string_view to_string(Dispatch dispatch) noexcept {
  return name_of(kDispatches, dispatch);
}
std::string_view to_string(Verdict verdict) noexcept {
  return name_of(kVerdicts, verdict);
}
std::string_view to_string(ConfirmResult result) noexcept {
  return name_of(kConfirmResults, result);
}
std::string_view to_string(PublishResult result) noexcept {
  return name_of(kPublishResults, result);
}

std::optional<MessageState> parse_message_state(std::string_view text) noexcept {
  return value_of(kStates, text);
}
std::optional<Verdict> parse_verdict(std::string_view text) noexcept {
  return value_of(kVerdicts, text);
}
std::optional<ConfirmResult> parse_confirm_result(std::string_view text) noexcept {
  return value_of(kConfirmResults, text);
}
Result<Ordering> parse_ordering(std::string_view text) {
  return parse(kOrderings, text, "ordering");
}
Result<Dispatch> parse_dispatch(std::string_view text) {
  return parse(kDispatches, text, "dispatch");
}

}  // namespace waybill
