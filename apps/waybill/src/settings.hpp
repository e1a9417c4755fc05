// The closed list of settings: each with its key, variable, type and bounds in one place.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "config.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

enum class SettingKind { text, duration, integer, boolean };

struct Setting {
  std::string_view section;
  std::string_view key;
  std::string_view variable;  // of the environment
  SettingKind kind;
  // Takes the value as text. **Errors**: fix_call without the setting's name.
  std::function<Status(Config&, std::string_view)> set;
};

// Every setting except the `[destinations.NAME]` tables, grouped by section.
[[nodiscard]] std::span<const Setting> settings();

// By its dotted name, or null.
[[nodiscard]] const Setting* find_setting(std::string_view name);

}  // namespace waybill::cli
