#include "flags.hpp"

#include <CLI/CLI.hpp>

namespace waybill::cli {
namespace {

template <class Value>
CLI::Option& add(CLI::App& command, const std::string& name, Value& value, const std::string& type,
                 const std::string& description, Presence presence) {
  CLI::Option& option = *command.add_option(name, value, description)->type_name(type);
  if (presence == Presence::required) option.required();
  if (presence == Presence::defaulted) option.capture_default_str();
  return option;
}

}  // namespace

void add_option(CLI::App& command, const std::string& name, std::string& value,
                const std::string& type, const std::string& description, Presence presence) {
  add(command, name, value, type, description, presence);
}

void add_option(CLI::App& command, const std::string& name, std::optional<std::string>& value,
                const std::string& type, const std::string& description) {
  add(command, name, value, type, description, Presence::optional);
}

void add_option(CLI::App& command, const std::string& name, std::vector<std::string>& values,
                const std::string& type, const std::string& description) {
  add(command, name, values, type, description, Presence::optional);
}

void add_number(CLI::App& command, const std::string& name, std::int64_t& value,
                const std::string& type, const std::string& description, Presence presence) {
  add(command, name, value, type, description, presence).check(CLI::NonNegativeNumber);
}

void add_row_id(CLI::App& command, const std::string& name, std::int64_t& value,
                const std::string& description) {
  add(command, name, value, "ID", description, Presence::optional).check(CLI::PositiveNumber);
}

void add_limit(CLI::App& command, std::uint32_t& limit, const std::string& what) {
  constexpr std::uint32_t kLimitMax = 1000;
  add(command, "--limit", limit, "N", "At most so many " + what + ", 1 … 1000", Presence::defaulted)
      .check(CLI::Range(1U, kLimitMax));
}

void add_switch(CLI::App& command, const std::string& name, bool& value,
                const std::string& description) {
  command.add_flag(name, value, description);
}

}  // namespace waybill::cli
