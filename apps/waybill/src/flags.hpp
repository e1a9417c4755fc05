// The options of a command. CLI11, which parses them, stays in flags.cpp, invocation.cpp and
// main.cpp: a file that includes it takes seconds to compile, whatever it uses of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace waybill::cli {

enum class Presence {
  optional,
  required,
  defaulted,  // --help shows the value that it has without the option
};

// `value` outlives the command; `type` is what --help calls it. A name without dashes is
// positional.
void add_option(CLI::App& command, const std::string& name, std::string& value,
                const std::string& type, const std::string& description,
                Presence presence = Presence::optional);
void add_option(CLI::App& command, const std::string& name, std::optional<std::string>& value,
                const std::string& type, const std::string& description);
void add_option(CLI::App& command, const std::string& name, std::vector<std::string>& values,
                const std::string& type, const std::string& description);

// 0 or more.
void add_number(CLI::App& command, const std::string& name, std::int64_t& value,
                const std::string& type, const std::string& description,
                Presence presence = Presence::optional);

// 1 or more.
void add_row_id(CLI::App& command, const std::string& name, std::int64_t& value,
                const std::string& description);

// --limit, 1 to 1000 of `what`.
void add_limit(CLI::App& command, std::uint32_t& limit, const std::string& what);

void add_switch(CLI::App& command, const std::string& name, bool& value,
                const std::string& description);

}  // namespace waybill::cli
