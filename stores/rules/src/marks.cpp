#include <algorithm>
#include <map>
#include <unordered_map>

#include "waybill/stores/rules.hpp"

namespace waybill::store {
namespace {

Failure not_allowed(Cause cause, const std::string& what, const std::string& hint) {
  return {{Remedy::fix_call, "'" + std::string(to_string(cause)) + "' " + what, hint}};
}

}  // namespace

void check_holder(std::string_view holder) {
  if (!holder.empty() && holder.size() <= kHolderBytesMax) return;
  throw Failure{{Remedy::fix_call,
                 "the name of a lease's holder has " + std::to_string(holder.size()) + " bytes",
                 "1 to " + std::to_string(kHolderBytesMax)}};
}

void check_arrows(std::span<const Mark> marks) {
  for (const Mark& mark : marks) {
    if (next_state(mark.from, mark.cause)) continue;
    throw Failure{{Remedy::fix_call,
                   "no row goes from " + std::string(to_string(mark.from)) + " by '" +
                       std::string(to_string(mark.cause)) + "'",
                   "the legal changes are in waybill/message_state.hpp"}};
  }
}

void check_facts(std::span<const Mark> marks) {
  check_arrows(marks);
  for (const Mark& mark : marks) {
    if (!is_judgement(mark.cause)) continue;
    throw not_allowed(mark.cause, "is a judgement",
                      "judgements go through judge(), under the lease");
  }
}

void check_actions(std::span<const Mark> marks) {
  check_arrows(marks);
  for (const Mark& mark : marks) {
    if (mark.cause == Cause::cancelled || mark.cause == Cause::resend ||
        mark.cause == Cause::replay) {
      continue;
    }
    throw not_allowed(mark.cause, "is no operator's action", "cancelled, resend or replay");
  }
}

DeliveryChange delivery_change(Cause cause) {
  switch (cause) {
    case Cause::acked:
    case Cause::acked_unconfirmed:
      return {true, 1, 0, 0, false};
    case Cause::refused:
    case Cause::refused_for_good:
      return {false, 1, 1, 0, false};
    case Cause::replay:
      return {false, 0, 0, 1, true};
    default:
      return {};
  }
}

bool is_happy(MessageState from, MessageState to) {
  return (from == MessageState::INIT && to == MessageState::SENT) ||
         (to == MessageState::SUCCESS &&
          (from == MessageState::INIT || from == MessageState::SENT));
}

bool has_delivery(MessageState from) {
  return from != MessageState::INIT && from != MessageState::SENT;
}

std::vector<MarkGroup> group_marks(std::span<const Mark> marks) {
  // The nth mark of a row goes into the nth round; rounds are written one after the other.
  std::map<std::tuple<std::size_t, MessageState, Cause>, MarkGroup> groups;
  std::unordered_map<std::int64_t, std::size_t> rounds;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const Mark& mark = marks[i];
    const std::size_t round = rounds[mark.id]++;
    MarkGroup& group =
        groups
            .try_emplace({round, mark.from, mark.cause},
                         MarkGroup{mark.from, mark.cause, *next_state(mark.from, mark.cause), {}})
            .first->second;
    group.marks.push_back(i);
  }
  std::vector<MarkGroup> ordered;
  for (auto& [key, group] : groups) {
    std::sort(group.marks.begin(), group.marks.end(),
              [&](std::size_t a, std::size_t b) { return marks[a].id < marks[b].id; });
    ordered.push_back(std::move(group));
  }
  return ordered;
}

}  // namespace waybill::store
