#include "alarm_log.hpp"

#include <utility>

namespace waybill::relay {
namespace {

constexpr Millis kDeadSpacing{10'000};

struct Texts {
  std::string raised;
  std::string healed;
};

Texts texts_of(Alarm alarm, const std::string& name) {
  switch (alarm) {
    case Alarm::type_without_route:
      return {"messages of type '" + name + "' wait: the type has no route (waybill routes set)",
              "type '" + name + "' has a route: its messages go on"};
    case Alarm::destination_refuses:
      return {"messages of type '" + name + "' wait: their destination cannot be used",
              "messages of type '" + name + "' are accepted again"};
    case Alarm::destination_down:
      return {"destination '" + name + "' is down; its messages wait",
              "destination '" + name + "' is up again"};
    case Alarm::consumer_silent:
      return {"no consumer confirms messages of type '" + name + "'; sending single probes",
              "messages of type '" + name + "' are confirmed again"};
    case Alarm::key_blocked:
      return {"a message of ordered type '" + name + "' keeps the later ones of its key back",
              "no key of ordered type '" + name + "' is kept back any more"};
    case Alarm::too_many_blocks:
      return {"messages of ordered type '" + name +
                  "' wait: too many of them are parked or dead (waybill messages list)",
              "messages of ordered type '" + name + "' go on"};
    case Alarm::too_many_types:
      return {"too many message types: rows of the newest ones wait", "fewer message types"};
    case Alarm::store_fails:
      return {"the message store fails", "the message store works again"};
    case Alarm::lease_lost:
      return {"another relay took the lease over; standing by", {}};
    case Alarm::message_dead:
      break;
  }
  return {};
}

}  // namespace

void AlarmLog::tell(LogLevel level, std::string_view text) const {
  if (log_) log_(level, "relay: " + std::string(text));
}

void AlarmLog::tell(const RaiseAlarm& alarm, const std::string& subject, const std::string& reason,
                    Steady now) {
  if (alarm.alarm == Alarm::message_dead) return tell_dead(alarm, subject, reason, now);
  const Texts texts = texts_of(alarm.alarm, subject);
  if (!alarm.raised) return tell(LogLevel::info, texts.healed);
  const bool explained = alarm.alarm == Alarm::destination_refuses ||
                         alarm.alarm == Alarm::destination_down ||
                         alarm.alarm == Alarm::store_fails || alarm.alarm == Alarm::key_blocked;
  tell(LogLevel::alarm, explained && !reason.empty() ? texts.raised + ": " + reason : texts.raised);
}

void AlarmLog::tell_dead(const RaiseAlarm& alarm, const std::string& subject,
                         const std::string& reason, Steady now) {
  Dead& dead = dead_[alarm.subject];
  ++dead.untold;
  if (dead.told_at != Steady{} && now - dead.told_at < kDeadSpacing) return;
  dead.told_at = now;
  const std::uint64_t count = std::exchange(dead.untold, 0);
  std::string text = "message in row " + std::to_string(alarm.id) + " of type '" + subject +
                     "' is DEAD" + (reason.empty() ? "" : ": " + reason);
  if (count > 1) text += "; " + std::to_string(count) + " of this type since the last line";
  tell(LogLevel::alarm, text);
}

}  // namespace waybill::relay
