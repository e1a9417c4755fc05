// `waybill messages replay | cancel | resend`: an operator's actions, with reason and audit.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <utility>

#include "commands.hpp"
#include "connections.hpp"
#include "exit_code.hpp"
#include "message_filter.hpp"
#include "message_reference.hpp"
#include "operator_flags.hpp"

namespace waybill::cli {
namespace {

constexpr std::size_t kNamesMax = 1000;
// Rows of one write transaction; services that write meanwhile wait for no longer than that.
constexpr std::uint32_t kBatchRows = 500;

struct ActionFlags {
  std::string action;  // as the command is called
  Cause cause = Cause::replay;
  std::vector<std::string> names;
  bool all_matching = false;
  bool yes = false;
  bool dry_run = false;
  FilterFlags filter;
  OperatorFlags who;
};

// What became of one message.
struct ActionResult {
  std::string name;
  std::int64_t id = 0;
  std::string result;  // see docs/reference/cli.md
  std::string note;
};

// How many messages match, by state.
using Matching = std::map<std::string, std::int64_t>;

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

bool takes(std::string_view state, Cause cause) {
  const auto known = parse_message_state(state);
  return known && next_state(*known, cause);
}

Status check_flags(const ActionFlags& flags) {
  if (const Status status = check(flags.who); !status) return status.error();
  if (flags.names.empty() && !flags.all_matching) {
    return Error{Remedy::fix_call, "no message is named",
                 "give row ids or message ids, or --all-matching with filters"};
  }
  if (!flags.names.empty() && (flags.all_matching || flags.filter.restricts())) {
    return Error{Remedy::fix_call, "messages are named and filters are given",
                 "give either ids, or --all-matching with filters"};
  }
  if (flags.names.size() > kNamesMax) {
    return Error{Remedy::fix_call, fmt::format("{} messages named", flags.names.size()),
                 fmt::format("at most {} a call", kNamesMax)};
  }
  if (!flags.all_matching) return {};
  if (!flags.filter.restricts()) {
    return Error{Remedy::fix_call, "--all-matching: no filter is given",
                 "that would be every message of the table; say which, for example --state DEAD"};
  }
  // SUCCESS takes it too, and nobody means to repeat what was done.
  if (flags.cause == Cause::replay && flags.filter.filter.state.empty()) {
    return Error{Remedy::fix_call, "--all-matching: replay needs --state",
                 "say --state DEAD, CANCELLED or SUCCESS"};
  }
  return {};
}

// Acts on rows batch by batch and keeps what became of each.
class Action {
 public:
  Action(ConsoleSession& session, const ActionFlags& flags) : session_(session), flags_(flags) {}

  void note(ActionResult result) { results_.push_back(std::move(result)); }

  // Plans the row, unless its state does not take the action or it is planned already.
  void plan(std::string name, const MessageRow& row) {
    const bool repeated = std::any_of(marks_.begin(), marks_.end(),
                                      [&row](const Mark& mark) { return mark.id == row.id; });
    if (repeated) return;
    if (!takes(state_of(row), flags_.cause)) {
      note({std::move(name), row.id, "illegal",
            fmt::format("a message in {} takes no {}", state_of(row), flags_.action)});
      return;
    }
    planned_.push_back(results_.size());
    note({std::move(name), row.id, flags_.dry_run ? "possible" : "not_done", ""});
    marks_.push_back({.id = row.id,
                      .from = row.state,
                      .cause = flags_.cause,
                      .epoch = row.epoch,
                      .reason = flags_.who.reason});
  }

  // Acts on what is planned, in one transaction. **Errors**: the session's; then the results say
  // what was not done or is in doubt.
  Status act() {
    const std::vector<Mark> marks = std::exchange(marks_, {});
    const std::vector<std::size_t> planned = std::exchange(planned_, {});
    if (marks.empty() || flags_.dry_run) return {};
    const Result<std::vector<Marked>> marked = session_.act(marks, flags_.who.who());
    for (std::size_t i = 0; i < planned.size(); ++i) {
      ActionResult& result = results_[planned[i]];
      if (marked) {
        result.result = to_word(marked->at(i));
        if (marked->at(i) == Marked::already_further) result.note = state_now(result.id);
      } else if (marked.error().remedy == Remedy::look) {
        result.result = "in_doubt";
      }
    }
    if (!marked) return marked.error();
    return {};
  }

  [[nodiscard]] const std::vector<ActionResult>& results() const noexcept { return results_; }

 private:
  std::string state_now(std::int64_t id) {
    const Result<std::optional<MessageHistory>> found = session_.show(id);
    if (!found || !found->has_value()) return "";
    return fmt::format("it is in {} now", state_of((*found)->row));
  }

  ConsoleSession& session_;
  const ActionFlags& flags_;
  std::vector<ActionResult> results_;
  std::vector<Mark> marks_;
  std::vector<std::size_t> planned_;  // the marks' places in results_
};

Status act_on_named(Action& action, ConsoleSession& session, const ActionFlags& flags) {
  for (std::size_t i = 0; i < flags.names.size(); ++i) {
    const std::string& name = flags.names[i];
    const Result<std::optional<MessageHistory>> found = find_message(session, name);
    if (!found) return found.error();
    if (found->has_value()) {
      action.plan(name, (*found)->row);
    } else {
      action.note({name, 0, "not_found", ""});
    }
  }
  return action.act();
}

Result<Matching> count_matching(ConsoleSession& session, MessageFilter filter) {
  Matching matching;
  filter.rows_max = kBatchRows;
  while (true) {
    const Result<std::vector<MessageRow>> rows = session.list(filter);
    if (!rows) return rows.error();
    for (const MessageRow& row : *rows) ++matching[std::string(state_of(row))];
    if (rows->size() < kBatchRows) return matching;
    filter.after_id = rows->back().id;
  }
}

Status act_on_matching(Action& action, ConsoleSession& session, MessageFilter filter,
                       const std::string& verb, std::int64_t total) {
  filter.rows_max = kBatchRows;
  std::int64_t seen = 0;
  while (true) {
    const Result<std::vector<MessageRow>> rows = session.list(filter);
    if (!rows) return rows.error();
    if (total > kBatchRows) fmt::print(stderr, "{}: {} of {}\n", verb, seen, total);
    for (const MessageRow& row : *rows) action.plan(message_id_of(row), row);
    if (const Status acted = action.act(); !acted) return acted;
    if (rows->size() < kBatchRows) return {};
    seen += static_cast<std::int64_t>(rows->size());
    filter.after_id = rows->back().id;
  }
}

// Every result of named messages; of matching ones those that were not simply done.
int print(const ActionFlags& flags, const std::vector<ActionResult>& results, Output& output) {
  std::map<std::string, std::int64_t> counts;
  boost::json::array items;
  std::vector<std::vector<std::string>> rows;
  for (const ActionResult& result : results) {
    ++counts[result.result];
    if (output.json()) {
      items.push_back({{"message", json_text(result.name)},
                       {"id", result.id},
                       {"result", result.result},
                       {"note", json_text(result.note)}});
    } else if (!flags.all_matching || result.result != "done") {
      rows.push_back({result.name, result.result, result.note});
    }
  }
  if (output.json()) {
    boost::json::object sums;
    for (const auto& [result, count] : counts) sums[result] = count;
    output.document(boost::json::object{
        {"action", flags.action}, {"counts", std::move(sums)}, {"results", std::move(items)}});
  } else {
    if (!rows.empty()) output.table({"MESSAGE", "RESULT", "NOTE"}, rows);
    std::string summary;
    for (const auto& [result, count] : counts) {
      summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, result);
    }
    output.line(results.empty() ? "no messages" : fmt::format("{}: {}", flags.action, summary));
  }
  const auto wanted = static_cast<std::size_t>(counts[flags.dry_run ? "possible" : "done"]);
  return !results.empty() && wanted == results.size() ? kExitOk : kExitFindings;
}

int print_matching(const ActionFlags& flags, const Matching& matching, Output& output) {
  boost::json::array items;
  std::vector<std::vector<std::string>> rows;
  std::int64_t possible = 0;
  for (const auto& [state, count] : matching) {
    const bool taken = takes(state, flags.cause);
    if (taken) possible += count;
    items.push_back({{"state", json_text(state)}, {"rows", count}, {"possible", taken}});
    rows.push_back({state, fmt::to_string(count), taken ? flags.action : "left as they are"});
  }
  if (output.json()) {
    output.document(boost::json::object{{"action", flags.action},
                                        {"dry_run", true},
                                        {"possible", possible},
                                        {"states", std::move(items)}});
  } else if (rows.empty()) {
    output.line("no messages");
  } else {
    output.table({"STATE", "ROWS", "WOULD"}, rows);
  }
  return possible > 0 ? kExitOk : kExitFindings;
}

Result<int> run_matching(const ActionFlags& flags, ConsoleSession& session, Output& output) {
  const Result<MessageFilter> filter = make_filter(flags.filter, session);
  if (!filter) return filter.error();
  const Result<Matching> matching = count_matching(session, *filter);
  if (!matching) return matching.error();
  if (flags.dry_run) return print_matching(flags, *matching, output);
  std::int64_t total = 0;
  std::int64_t possible = 0;
  for (const auto& [state, count] : *matching) {
    total += count;
    if (takes(state, flags.cause)) possible += count;
  }
  if (total > 0 && !flags.yes) {
    return Error{Remedy::fix_call,
                 fmt::format("{} messages match, {} of them take a {}; nothing was changed", total,
                             possible, flags.action),
                 "repeat it with --yes; --dry-run shows them by state"};
  }
  Action action(session, flags);
  const Status acted = act_on_matching(action, session, *filter, flags.action, total);
  const int code = print(flags, action.results(), output);
  if (!acted) return acted.error();
  return code;
}

Result<int> run(const ActionFlags& flags, const Config& config, Output& output) {
  if (const Status status = check_flags(flags); !status) return status.error();
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  if (flags.all_matching) return run_matching(flags, *console->session, output);
  Action action(*console->session, flags);
  const Status acted = act_on_named(action, *console->session, flags);
  if (!acted && acted.error().remedy == Remedy::fix_call) return acted.error();
  const int code = print(flags, action.results(), output);
  if (!acted) return acted.error();
  return code;
}

void add(CLI::App& group, Invocation& invocation, const std::string& name, Cause cause,
         const std::string& state, const std::string& description) {
  const std::string example = fmt::format(
      "waybill messages {0} 17 order/order.placed/A-18 --reason 'points service repaired'\n"
      "  waybill messages {0} --all-matching --state {1} --destination orders --reason 'repaired' "
      "--dry-run",
      name, state);
  CLI::App& command = add_command(
      group, invocation, name, description,
      {example, "0 done for every message; 1 some were left as they are, or none found"});
  const auto flags = std::make_shared<ActionFlags>();  // between flags and callback
  flags->action = name;
  flags->cause = cause;
  add_option(command, "ID", flags->names, "", "Row ids or message ids, at most 1000");
  add_switch(command, "--all-matching", flags->all_matching,
             "Every message that the filters match");
  add_switch(command, "--yes", flags->yes, "Do it, with --all-matching");
  add_switch(command, "--dry-run", flags->dry_run, "Only say what would be done");
  add_filter_flags(command, flags->filter);
  add_operator_flags(command, flags->who);
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return run(*flags, config, output); });
}

}  // namespace

void add_message_actions(CLI::App& messages, Invocation& invocation) {
  add(messages, invocation, "replay", Cause::replay, "DEAD",
      "Publish finished messages (DEAD, CANCELLED, SUCCESS) again under a new epoch");
  add(messages, invocation, "cancel", Cause::cancelled, "RETRY",
      "Withdraw messages: they are published no more");
  add(messages, invocation, "resend", Cause::resend, "SENT",
      "Publish waiting messages (SENT, RETRY, PARKED) again now");
}

}  // namespace waybill::cli
