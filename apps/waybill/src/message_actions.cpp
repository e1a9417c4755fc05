// `waybill messages replay | cancel | resend`: an operator's actions, with reason and audit.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdlib>
#include <memory>

#include "commands.hpp"
#include "connections.hpp"
#include "exit_code.hpp"
#include "message_reference.hpp"

namespace waybill::cli {
namespace {

constexpr std::size_t kMessagesMax = 1000;
constexpr std::size_t kReasonBytesMax = 512;
constexpr std::size_t kOperatorBytesMax = 64;

struct ActionFlags {
  std::vector<std::string> names;
  std::string reason;
  std::string operator_name;
};

// What became of one named message.
struct ActionResult {
  std::string name;
  std::int64_t id = 0;
  std::string result;  // done | already_further | gone | not_found | illegal
  std::string note;
};

std::string operator_of(const ActionFlags& flags) {
  if (!flags.operator_name.empty()) return flags.operator_name;
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : fmt::format("uid {}", getuid());
}

std::string_view to_word(Marked marked) noexcept {
  switch (marked) {
    case Marked::done:
      return "done";
    case Marked::already_further:
      return "already_further";
    case Marked::gone:
      break;
  }
  return "gone";
}

Status check(const ActionFlags& flags) {
  if (flags.reason.empty() || flags.reason.size() > kReasonBytesMax) {
    return Error{Remedy::fix_call, "--reason: must have 1 to 512 bytes",
                 "say why; it is kept in the audit table"};
  }
  if (flags.operator_name.size() > kOperatorBytesMax) {
    return Error{Remedy::fix_call, "--operator: must have at most 64 bytes", ""};
  }
  if (flags.names.size() > kMessagesMax) {
    return Error{Remedy::fix_call, fmt::format("{} messages named", flags.names.size()),
                 fmt::format("at most {} a call", kMessagesMax)};
  }
  return {};
}

// Looks every message up and acts on those whose state allows it, all in one call.
Result<std::vector<ActionResult>> act(ConsoleSession& session, Cause cause,
                                      const ActionFlags& flags) {
  std::vector<ActionResult> results;
  std::vector<Mark> marks;
  std::vector<std::size_t> marked_results;
  for (const std::string& name : flags.names) {
    const Result<std::optional<MessageHistory>> found = find_message(session, name);
    if (!found) return found.error();
    if (!found->has_value()) {
      results.push_back({name, 0, "not_found", ""});
      continue;
    }
    const MessageRow& row = (*found)->row;
    const bool repeated = std::any_of(marks.begin(), marks.end(),
                                      [&row](const Mark& mark) { return mark.id == row.id; });
    if (repeated) continue;
    if (!next_state(row.state, cause)) {
      results.push_back(
          {name, row.id, "illegal",
           fmt::format("a message in {} takes no {}", to_string(row.state), to_string(cause))});
      continue;
    }
    marked_results.push_back(results.size());
    results.push_back({name, row.id, "", ""});
    marks.push_back({.id = row.id,
                     .from = row.state,
                     .cause = cause,
                     .epoch = row.epoch,
                     .reason = flags.reason});
  }
  if (marks.empty()) return results;
  const Result<std::vector<Marked>> marked = session.act(marks, operator_of(flags));
  if (!marked) return marked.error();
  for (std::size_t i = 0; i < marked_results.size() && i < marked->size(); ++i) {
    results[marked_results[i]].result = to_word((*marked)[i]);
  }
  return results;
}

Result<int> run(Cause cause, const ActionFlags& flags, const Config& config, Output& output) {
  if (const Status status = check(flags); !status) return status.error();
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<std::vector<ActionResult>> results = act(*console->session, cause, flags);
  if (!results) return results.error();
  boost::json::array items;
  std::vector<std::vector<std::string>> rows;
  bool all_done = true;
  for (const ActionResult& result : *results) {
    all_done = all_done && result.result == "done";
    items.push_back({{"message", json_text(result.name)},
                     {"id", result.id},
                     {"result", result.result},
                     {"note", result.note}});
    rows.push_back({result.name, result.result, result.note});
  }
  if (output.json()) {
    output.document(boost::json::object{{"action", to_string(cause)}, {"results", items}});
  } else {
    output.table({"MESSAGE", "RESULT", "NOTE"}, rows);
  }
  return all_done ? kExitOk : kExitFindings;
}

void add(CLI::App& group, Invocation& invocation, const std::string& name, Cause cause,
         const std::string& description) {
  const std::string example = fmt::format(
      "waybill messages {} 17 18 --reason 'points service repaired' "
      "--store sqlite:///var/lib/shop/orders.db",
      name);
  CLI::App& command =
      add_command(group, invocation, name, description,
                  {example, "0 done for every message; 1 some were left as they are"});
  const auto flags = std::make_shared<ActionFlags>();  // between flags and callback
  command.add_option("messages", flags->names, "Row ids or message ids, at most 1000")
      ->required()
      ->type_name("ID");
  command.add_option("--reason", flags->reason, "Why; kept in the audit table")
      ->required()
      ->type_name("TEXT");
  command.add_option("--operator", flags->operator_name, "Who (default: the USER variable)")
      ->type_name("NAME");
  add_store_flags(command, invocation);
  command.callback([&invocation, flags, cause] {
    invocation.run = [flags, cause](const Config& config, Output& output) {
      return run(cause, *flags, config, output);
    };
  });
}

}  // namespace

void add_message_actions(CLI::App& messages, Invocation& invocation) {
  add(messages, invocation, "replay", Cause::replay,
      "Publish finished messages (DEAD, CANCELLED, SUCCESS) again under a new epoch");
  add(messages, invocation, "cancel", Cause::cancelled,
      "Withdraw messages: they are published no more");
  add(messages, invocation, "resend", Cause::resend,
      "Publish waiting messages (SENT, RETRY, PARKED) again now");
}

}  // namespace waybill::cli
