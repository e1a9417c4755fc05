// The waybill program: parses flags, loads the configuration, runs one command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "exit_code.hpp"
#include "output.hpp"
#include "suggestion.hpp"
#include "waybill/drivers/sqlite.hpp"

namespace {

using waybill::Error;
using waybill::Remedy;
using waybill::Result;
namespace cli = waybill::cli;

int report(const Error& error, bool json) {
  const int code = cli::exit_code(error.remedy);
  if (json) {
    const boost::json::object document = {{"error", cli::json_text(error.text)},
                                          {"hint", cli::json_text(error.hint)},
                                          {"exit_code", code}};
    fmt::print(stderr, "{}\n", boost::json::serialize(document));
    return code;
  }
  fmt::print(stderr, "error: {}\n", error.text);
  if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
  return code;
}

int run(const cli::Invocation& invocation) {
  const Result<cli::Config> config =
      cli::load_config(invocation.config_file, std::getenv, invocation.flags);
  if (!config) return report(config.error(), invocation.json);
  cli::Output output(stdout, invocation.json);
  const Result<int> code = invocation.run(*config, output);
  if (!code) return report(code.error(), invocation.json);
  if (const waybill::Status written = output.finish(); !written) {
    return report(written.error(), invocation.json);
  }
  return *code;
}

// The first command that CLI11 did not find, or flag that it did not know, with the nearest one.
Error explain(const CLI::App& app, const CLI::ParseError& problem) {
  const CLI::App* command = &app;
  std::string called = app.get_name();
  while (true) {
    const std::vector<std::string> unknown = command->remaining();
    const std::vector<CLI::App*> next = command->get_subcommands();
    if (next.empty()) break;
    if (!unknown.empty()) {
      return {
          Remedy::fix_call,
          fmt::format("'{}' stands before '{}'", cli::printable(unknown.front()),
                      next.front()->get_name()),
          fmt::format("flags follow the whole command: {} {} …", called, next.front()->get_name())};
    }
    command = next.front();
    called += " " + command->get_name();
  }
  const std::string help = fmt::format("see {} --help", called);
  const std::vector<std::string> unknown = command->remaining();
  const bool is_group = !command->get_subcommands({}).empty();
  if (unknown.empty()) {
    return {Remedy::fix_call, is_group ? called + " needs a command" : problem.what(), help};
  }
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  const bool is_flag = word.starts_with('-');
  if (!is_flag && !is_group) {
    return {Remedy::fix_call, fmt::format("unexpected argument '{}'", cli::printable(word)), help};
  }
  std::vector<std::string> known;
  if (is_flag) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* each : command->get_subcommands({})) known.push_back(each->get_name());
  }
  return {
      Remedy::fix_call,
      fmt::format("{} has no {} '{}'", called, is_flag ? "flag" : "command", cli::printable(word)),
      fmt::format("{} ({})", cli::suggest(word, known), help)};
}

bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json") return true;
  }
  return false;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Messages written with the order, relayed to the broker, confirmed back.",
               "waybill");
  app.set_version_flag("--version", "waybill " WAYBILL_VERSION);
  app.require_subcommand(1);
  app.footer("\nExample:\n  waybill status --store sqlite:///var/lib/shop/orders.db");
  cli::Invocation invocation;
  cli::add_schema_commands(app, invocation);
  cli::add_routes_commands(app, invocation);
  cli::add_relay_command(app, invocation);
  cli::add_status_command(app, invocation);
  cli::add_doctor_command(app, invocation);
  cli::add_messages_commands(app, invocation);
  cli::add_clean_command(app, invocation);
  cli::add_inbox_commands(app, invocation);
  cli::add_queue_commands(app, invocation);
  cli::add_broker_commands(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& problem) {
    return report(explain(app, problem), asks_for_json(argc, argv));
  }
  return run(invocation);
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that went away is an error to report, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  waybill::sqlite::disable_memory_statistics();
  try {
    return parse_and_run(argc, argv);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "error: unexpected: {}\n", problem.what());
    return cli::kExitInDoubt;
  }
}
