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
  command.add_option("--id", flags.id, "Row id")->check(CLI::PositiveNumber)->type_name("ID");
  command.add_option("--identifier", flags.filter.identifier, "Identifier, compared as bytes")
      ->type_name("TEXT");
  command.add_option("--type", flags.filter.message_type, "Message type")->type_name("TYPE");
  command.add_option("--biz-type", flags.filter.biz_type, "Business domain")->type_name("TEXT");
  command
      .add_option("--state", flags.filter.state,
                  "INIT, SENT, RETRY, PARKED, SUCCESS, DEAD, CANCELLED, or any other as stored")
      ->type_name("STATE");
  command.add_option("--destination", flags.filter.destination, "Destination of the type's route")
      ->type_name("NAME");
  command
      .add_option("--since", flags.since,
                  "Created at or after: 2026-11-23T21:09:05Z, or 2h for two hours ago")
      ->type_name("TIME");
  command.add_option("--until", flags.until, "Created before; as --since")->type_name("TIME");
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
