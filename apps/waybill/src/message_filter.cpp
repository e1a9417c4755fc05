#include "message_filter.hpp"

#include <fmt/format.h>

#include <vector>

#include "moment.hpp"
#include "output.hpp"
#include "suggestion.hpp"

namespace waybill::cli {
namespace {

struct TimeFlag {
  const char* flag;
  const std::string& text;
  std::optional<DatabaseTime>& bound;
};

}  // namespace

bool FilterFlags::restricts() const {
  return id != 0 || !since.empty() || !until.empty() || !filter.identifier.empty() ||
         !filter.message_type.empty() || !filter.biz_type.empty() || !filter.state.empty() ||
         !filter.destination.empty();
}

void add_filter_flags(CLI::App& command, FilterFlags& flags) {
  add_row_id(command, "--id", flags.id, "Row id");
  add_option(command, "--identifier", flags.filter.identifier, "TEXT",
             "Identifier, compared as bytes");
  add_option(command, "--type", flags.filter.message_type, "TYPE", "Message type");
  add_option(command, "--biz-type", flags.filter.biz_type, "TEXT", "Business domain");
  add_option(command, "--state", flags.filter.state, "STATE",
             "INIT, SENT, RETRY, PARKED, SUCCESS, DEAD, CANCELLED, or any other as stored");
  add_option(command, "--destination", flags.filter.destination, "NAME",
             "Destination of the type's route");
  add_option(command, "--since", flags.since, "TIME",
             "Created at or after: 2026-11-23T21:09:05Z, or 2h for two hours ago");
  add_option(command, "--until", flags.until, "TIME", "Created before; as --since");
}

Result<MessageFilter> make_filter(const FilterFlags& flags, ConsoleSession& session) {
  MessageFilter filter = flags.filter;
  if (flags.id != 0) filter.id = flags.id;
  std::optional<DatabaseTime> now;
  for (const TimeFlag& time : {TimeFlag{"--since", flags.since, filter.since},
                               TimeFlag{"--until", flags.until, filter.until}}) {
    if (time.text.empty()) continue;
    const Result<Moment> moment = parse_moment(time.text);
    if (!moment) {
      return Error{Remedy::fix_call, fmt::format("{}: {}", time.flag, moment.error().text),
                   moment.error().hint};
    }
    if (moment->ago && !now) {
      const Result<DatabaseTime> read = session.now();
      if (!read) return read.error();
      now = *read;
    }
    time.bound = moment->resolve(now.value_or(DatabaseTime{}));
  }
  return filter;
}

std::string doubt_about_state(const std::string& state) {
  if (state.empty() || parse_message_state(state)) return {};
  std::vector<std::string> known;
  for (const MessageState each : kMessageStates) known.emplace_back(to_string(each));
  return fmt::format("'{}' is no state of waybill: {}", printable(state), suggest(state, known));
}

}  // namespace waybill::cli
