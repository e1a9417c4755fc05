#include "invocation.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <utility>

namespace waybill::cli {

CLI::App& add_command(CLI::App& group, Invocation& invocation, const std::string& name,
                      const std::string& description, const HelpTexts& help) {
  CLI::App& command = *group.add_subcommand(name, description);
  add_option(command, "--config", invocation.config_file, "FILE",
             "Configuration file (default: WAYBILL_CONFIG, else ./waybill.toml if present)");
  add_switch(command, "--json", invocation.json, "Print the answer as one JSON document");
  command.footer(fmt::format(
      "\nExample:\n  {}\n\nExit codes: {}; 2 usage or configuration; 3 unavailable, try again; "
      "4 in doubt, look first.",
      help.example, help.exit_codes));
  return command;
}

void set_run(CLI::App& command, Invocation& invocation, Run run) {
  command.callback([&invocation, run = std::move(run)] { invocation.run = run; });
}

void add_setting_flag(CLI::App& command, Invocation& invocation, const std::string& flag,
                      const std::string& setting, const std::string& type,
                      const std::string& description) {
  command
      .add_option_function<std::string>(
          flag,
          [&invocation, flag, setting](const std::string& value) {
            invocation.flags.push_back({setting, flag, value});
          },
          description)
      ->type_name(type);
}

void add_store_flags(CLI::App& command, Invocation& invocation) {
  add_setting_flag(command, invocation, "--store", "store.url", "URL",
                   "Database with the message table: sqlite:///absolute/path, "
                   "postgresql://user@host/database or mariadb://user@host/database");
  add_setting_flag(command, invocation, "--table", "store.table", "NAME",
                   "Message table (default: local_message)");
}

void add_queue_flag(CLI::App& command, Invocation& invocation) {
  add_setting_flag(
      command, invocation, "--queue", "destinations.default", "URL",
      "The broker: queue:///absolute/path, kafka://host:port or amqp://host:port/vhost");
}

void add_embedded_queue_flag(CLI::App& command, Invocation& invocation) {
  add_setting_flag(command, invocation, "--queue", "destinations.default", "URL",
                   "An embedded queue: queue:///absolute/path");
}

CLI::App& add_group(CLI::App& app, const std::string& name, const std::string& description) {
  CLI::App& group = *app.add_subcommand(name, description);
  group.require_subcommand(1);
  group.footer(fmt::format("\nwaybill {} COMMAND --help shows flags and an example.", name));
  return group;
}

}  // namespace waybill::cli
