// `waybill broker apply | check`: what the routes' destinations need at their brokers.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <optional>

#include "commands.hpp"
#include "connections.hpp"
#include "destinations.hpp"
#include "exit_code.hpp"

namespace waybill::cli {
namespace {

using Names = std::vector<std::string>;
using Step = Status (*)(const Broker&);

// What became of one destination.
struct Finding {
  std::string destination;
  std::string result;  // ready | not_ready | unavailable
  std::string text;
  std::string hint;
  std::optional<std::size_t> body_bytes_max = {};  // as far as the broker tells
};

// Of every route, and the reply topic.
Result<Names> needed(const Config& config) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  return needed_destinations(config, *console->session);
}

Finding look_at(const Config& config, const std::string& destination, Step step) {
  const Result<Broker> broker = broker_of(config, destination);
  const Status status = broker ? step(*broker) : Status(broker.error());
  if (status) {
    Finding ready{destination, "ready", "", ""};
    if (const auto limit = body_bytes_max(*broker)) ready.body_bytes_max = *limit;
    return ready;
  }
  const Error& error = status.error();
  return {destination, error.remedy == Remedy::fix_call ? "not_ready" : "unavailable", error.text,
          error.hint};
}

void print(const std::vector<Finding>& findings, Output& output) {
  boost::json::array items;
  for (const Finding& finding : findings) {
    items.push_back(
        {{"destination", json_text(finding.destination)},
         {"result", finding.result},
         {"text", json_text(finding.text)},
         {"hint", json_text(finding.hint)},
         {"body_bytes_max", finding.body_bytes_max ? boost::json::value(*finding.body_bytes_max)
                                                   : boost::json::value()}});
    if (output.json()) continue;
    output.line(fmt::format("{}: {}{}{}", finding.result, printable(finding.destination),
                            finding.text.empty() ? "" : ": ", printable(finding.text)));
    if (finding.body_bytes_max) {
      output.line(fmt::format("  takes bodies of at most {} bytes", *finding.body_bytes_max));
    }
    if (!finding.hint.empty()) output.line("  " + printable(finding.hint));
  }
  if (output.json()) {
    output.document(boost::json::object{{"destinations", std::move(items)}});
  } else if (findings.empty()) {
    output.line("no routes, so that no destination is needed");
  }
}

Result<int> run(const Names& named, Step step, const Config& config, Output& output) {
  const Result<Names> names = named.empty() ? needed(config) : Result<Names>(named);
  if (!names) return names.error();
  std::vector<Finding> findings;
  for (const std::string& name : *names) findings.push_back(look_at(config, name, step));
  print(findings, output);
  const auto any = [&](std::string_view result) {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const Finding& finding) { return finding.result == result; });
  };
  return any("not_ready") ? kExitFindings : any("unavailable") ? kExitUnavailable : kExitOk;
}

void add(CLI::App& group, Invocation& invocation, const std::string& name,
         const std::string& description, const HelpTexts& help, Step step) {
  CLI::App& command = add_command(group, invocation, name, description, help);
  const auto names = std::make_shared<Names>();  // between flags and callback
  add_option(command, "DESTINATION", *names, "", "Only these, instead of those of all routes");
  add_store_flags(command, invocation);
  add_queue_flag(command, invocation);
  set_run(command, invocation, [names, step](const Config& config, Output& output) {
    return run(*names, step, config, output);
  });
}

}  // namespace

void add_broker_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group =
      add_group(app, "broker", "Make and check what the routes' destinations need at their broker");
  add(group, invocation, "apply", "Create what is missing; never changes what is there",
      {"waybill broker apply --store sqlite:///var/lib/shop/orders.db --queue kafka://localhost",
       "0 everything is there; 1 something cannot be made"},
      apply_topology);
  add(group, invocation, "check", "Say what is missing",
      {"waybill broker check --store sqlite:///var/lib/shop/orders.db --queue kafka://localhost",
       "0 everything is there; 1 something is missing"},
      check_topology);
}

}  // namespace waybill::cli
