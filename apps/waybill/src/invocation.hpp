// One call of the program: what its flags said and the command that they chose.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"
#include "flags.hpp"
#include "output.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

// Answers with the exit code, or an Error whose remedy becomes one.
using Run = std::function<Result<int>(const Config&, Output&)>;

// Filled while the flags are parsed.
struct Invocation {
  std::string config_file;
  bool json = false;
  std::vector<FlagValue> flags;
  Run run;
};

// What --help shows below the options.
struct HelpTexts {
  std::string_view example;
  std::string_view exit_codes;  // what 0 and 1 mean for this command
};

// Adds a command with --config and --json. **Ownership**: `group` keeps it; `invocation` must
// outlive both.
CLI::App& add_command(CLI::App& group, Invocation& invocation, const std::string& name,
                      const std::string& description, const HelpTexts& help);

// What the command does.
void set_run(CLI::App& command, Invocation& invocation, Run run);

// A flag that overrides the setting of that name.
void add_setting_flag(CLI::App& command, Invocation& invocation, const std::string& flag,
                      const std::string& setting, const std::string& type,
                      const std::string& description);

// --store and --table.
void add_store_flags(CLI::App& command, Invocation& invocation);

// --queue: the queue of every destination without an address of its own.
void add_queue_flag(CLI::App& command, Invocation& invocation);
// The same for commands that know the embedded queue only.
void add_embedded_queue_flag(CLI::App& command, Invocation& invocation);

// A group of commands, of which one must be named.
CLI::App& add_group(CLI::App& app, const std::string& name, const std::string& description);

}  // namespace waybill::cli
