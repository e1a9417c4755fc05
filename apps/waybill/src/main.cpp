// The waybill program: parses flags, loads the configuration, runs one command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "commands.hpp"
#include "exit_code.hpp"
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
  cli::add_inbox_commands(app, invocation);
  cli::add_queue_commands(app, invocation);
  cli::add_broker_commands(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& problem) {
    return report({Remedy::fix_call, problem.what(), "see waybill --help, or COMMAND --help"},
                  asks_for_json(argc, argv));
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
