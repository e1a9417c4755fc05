#include "flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>

#include "duration.hpp"

namespace waybill::cli {
namespace {

constexpr std::int64_t kNumberMax = std::numeric_limits<std::int64_t>::max();

template <class Value>
CLI::Option& add(CLI::App& command, const std::string& name, Value& value, const std::string& type,
                 const std::string& description, Presence presence) {
  CLI::Option& option = *command.add_option(name, value, description)->type_name(type);
  if (presence == Presence::required) option.required();
  if (presence == Presence::defaulted) option.capture_default_str();
  return option;
}

// As CLI::Range, whose text shows the bounds of a double.
CLI::Validator in_range(std::int64_t least, std::int64_t most) {
  const auto check = [least, most](const std::string& text) -> std::string {
    const Result<std::int64_t> number = parse_integer(text);
    if (!number) return number.error().text;
    if (*number >= least && *number <= most) return "";
    if (most == kNumberMax) return fmt::format("{} is less than {}", *number, least);
    return fmt::format("{} is out of range ({} … {})", *number, least, most);
  };
  return CLI::Validator(check, "");
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
  add(command, name, value, type, description, presence).check(in_range(0, kNumberMax));
}

void add_row_id(CLI::App& command, const std::string& name, std::int64_t& value,
                const std::string& description) {
  add(command, name, value, "ID", description, Presence::optional).check(in_range(1, kNumberMax));
}

void add_limit(CLI::App& command, std::uint32_t& limit, const std::string& what) {
  constexpr std::uint32_t kLimitMax = 1000;
  add(command, "--limit", limit, "N", "At most so many " + what + ", 1 … 1000", Presence::defaulted)
      .check(in_range(1, kLimitMax));
}

void add_switch(CLI::App& command, const std::string& name, bool& value,
                const std::string& description) {
  command.add_flag(name, value, description);
}

}  // namespace waybill::cli
