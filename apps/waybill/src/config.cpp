#include "config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "destination_tables.hpp"
#include "duration.hpp"
#include "settings.hpp"
#include "text_file.hpp"
#include "toml_reader.hpp"

namespace waybill::cli {
namespace {

constexpr const char* kConfigFileDefault = "waybill.toml";

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const Setting& setting : settings()) {
    if (names.empty() || names.back() != setting.section) names.emplace_back(setting.section);
  }
  return names;
}

std::vector<std::string> keys_of(std::string_view section) {
  std::vector<std::string> keys;
  for (const Setting& setting : settings()) {
    if (setting.section == section) keys.emplace_back(setting.key);
  }
  return keys;
}

// The node's value as the text that Setting::set takes; nothing when it has another type.
std::optional<std::string> as_text(const toml::node& node, SettingKind kind) {
  switch (kind) {
    case SettingKind::text:
    case SettingKind::duration:
      return node.value_exact<std::string>();
    case SettingKind::integer:
      if (const auto value = node.value_exact<std::int64_t>()) return fmt::to_string(*value);
      break;
    case SettingKind::boolean:
      if (const auto value = node.value_exact<bool>()) return *value ? "true" : "false";
      break;
  }
  return std::nullopt;
}

std::string_view wanted_type(SettingKind kind) noexcept {
  switch (kind) {
    case SettingKind::duration:
      return "a duration like \"2s\"";
    case SettingKind::integer:
      return "an integer";
    case SettingKind::boolean:
      return "true or false";
    case SettingKind::text:
      break;
  }
  return "a string";
}

void apply_section(const toml::table& table, std::string_view section, TomlReader& reader,
                   Config& config) {
  for (const Setting& setting : settings()) {
    const toml::node* node = setting.section == section ? table.get(setting.key) : nullptr;
    if (node == nullptr) continue;
    if (section == "destinations" && node->is_table()) continue;  // read as one of them
    const std::string name = dotted(section, setting.key);
    const std::optional<std::string> value = as_text(*node, setting.kind);
    if (!value) {
      reader.complain(
          node->source(), name,
          fmt::format("must be {}, not {}", wanted_type(setting.kind), type_in_words(*node)));
      continue;
    }
    if (const Status status = setting.set(config, *value); !status) {
      reader.complain(node->source(), name, status.error().text, status.error().hint);
    }
    config.origins[name] = reader.place(node->source());
  }
}

// What no single key can tell.
Status check_together(const Config& config) {
  for (const auto& [name, value] :
       {std::pair("confirm.listen", &config.confirm.listen),
        std::pair("confirm.reply_destination", &config.confirm.reply_destination)}) {
    if (value->empty() || !config.confirm.keys_file.empty()) continue;
    return Error{
        Remedy::fix_call,
        fmt::format("{}: {}: is set, but confirm.keys_file is not", config.origins.at(name), name),
        "give --keys-file FILE, or write keys_file in [confirm]: who confirms must have a key"};
  }
  if (config.confirm.listen.empty()) return {};
  const std::string where = config.origins.at("confirm.listen");
  if (config.confirm.tls_certificate.empty() != config.confirm.tls_key.empty()) {
    return Error{Remedy::fix_call,
                 "confirm.tls_certificate and confirm.tls_key: one is set, the other is not",
                 "TLS needs both, plain HTTP neither"};
  }
  const Result<ListenAddress> address = parse_listen(config.confirm.listen);
  if (!address) return address.error();
  if (!config.confirm.allow_remote && address->host != "127.0.0.1" && address->host != "::1") {
    return Error{Remedy::fix_call,
                 fmt::format("{}: confirm.listen: {} is not a loopback address", where,
                             config.confirm.listen),
                 "set confirm.allow_remote = true, with confirm.tls_certificate or behind a proxy "
                 "that ends TLS"};
  }
  return {};
}

Error named(std::string_view name, const Error& error) {
  return {error.remedy, fmt::format("{}: {}", name, error.text), error.hint};
}

// Every path that the file may give relative to its own folder.
std::vector<std::string*> paths_of(Config& config) {
  std::vector<std::string*> paths = {&config.confirm.keys_file, &config.confirm.tls_certificate,
                                     &config.confirm.tls_key};
  const auto add = [&](Config::Destination& destination) {
    paths.insert(paths.end(), {&destination.password_file, &destination.ca_file,
                               &destination.certificate_file, &destination.key_file});
  };
  add(config.destinations.fallback);
  for (auto& [name, destination] : config.destinations.named) add(destination);
  return paths;
}

// The file to read: named ones must exist, the default one may be absent.
std::optional<std::string> choose_file(const std::string& file, const Environment& environment) {
  if (!file.empty()) return file;
  const char* variable = environment("WAYBILL_CONFIG");
  if (variable != nullptr && *variable != '\0') return variable;
  std::error_code ignored;
  if (std::filesystem::exists(kConfigFileDefault, ignored)) return kConfigFileDefault;
  return std::nullopt;
}

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  const Error malformed{Remedy::fix_call, fmt::format("'{}' is no address and port", text),
                        "write \"127.0.0.1:8081\" or \"[::1]:8081\""};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return malformed;
  std::string_view host = text.substr(0, colon);
  const Result<std::int64_t> port = parse_integer(text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return malformed;
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return malformed;
  }
  if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF.:") != host.npos) {
    return malformed;
  }
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

Status apply_config_text(std::string_view text, const std::string& file_name, Config& config) {
  TomlReader reader(file_name);
  const Result<toml::table> parsed = reader.parse(text);
  if (!parsed) return parsed.error();
  const std::vector<std::string> sections = section_names();
  reader.check_keys(*parsed, "", sections);
  for (const std::string& section : sections) {
    const toml::node* node = parsed->get(section);
    if (node == nullptr) continue;
    const toml::table* table = node->as_table();
    if (table == nullptr) {
      reader.complain(node->source(), section,
                      fmt::format("must be a section, not {}", type_in_words(*node)),
                      fmt::format("write [{}]", section));
      continue;
    }
    apply_section(*table, section, reader, config);
    if (section == "destinations") {
      read_destinations(*table, reader, config.destinations);
    } else {
      reader.check_keys(*table, section, keys_of(section));
    }
  }
  return reader.finish();
}

Result<Config> load_config(const std::string& file, const Environment& environment,
                           const std::vector<FlagValue>& flags) {
  Config config;
  if (const std::optional<std::string> chosen = choose_file(file, environment)) {
    const Result<std::string> text = read_text_file(*chosen);
    if (!text) return text.error();
    if (const Status status = apply_config_text(*text, *chosen, config); !status) {
      return status.error();
    }
    for (std::string* path : paths_of(config)) {
      if (path->empty() || std::filesystem::path(*path).is_absolute()) continue;
      *path = (std::filesystem::path(*chosen).parent_path() / *path).lexically_normal().string();
    }
  }
  for (const Setting& setting : settings()) {
    const std::string variable(setting.variable);
    const char* value = environment(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    if (const Status status = setting.set(config, value); !status) {
      return named(variable, status.error());
    }
    config.origins[dotted(setting.section, setting.key)] = variable;
  }
  for (const FlagValue& flag : flags) {
    const Setting* setting = find_setting(flag.setting);
    if (setting == nullptr) {
      return Error{Remedy::fix_call, fmt::format("{}: no such setting", flag.flag), ""};
    }
    if (const Status status = setting->set(config, flag.value); !status) {
      return named(flag.flag, status.error());
    }
    config.origins[flag.setting] = flag.flag;
  }
  if (const Status status = check_together(config); !status) return status.error();
  return config;
}

}  // namespace waybill::cli
