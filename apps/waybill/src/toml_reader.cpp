#include "toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "duration.hpp"
#include "suggestion.hpp"

namespace waybill::cli {
namespace {

constexpr std::size_t kComplaintsMax = 20;

}  // namespace

std::string dotted(std::string_view prefix, std::string_view key) {
  return prefix.empty() ? std::string(key) : fmt::format("{}.{}", prefix, key);
}

std::string_view type_in_words(const toml::node& node) noexcept {
  switch (node.type()) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

Result<toml::table> TomlReader::parse(std::string_view text) const {
  try {
    return toml::parse(text, file_name_);
  } catch (const toml::parse_error& problem) {
    return Error{Remedy::fix_call,
                 fmt::format("{}:{}: {}", file_name_, problem.source().begin.line,
                             secret_ ? "syntax error" : problem.description()),
                 "the file must be valid TOML"};
  }
}

std::string TomlReader::place(const toml::source_region& where) const {
  return fmt::format("{}:{}", file_name_, where.begin.line);
}

void TomlReader::complain(const toml::source_region& where, std::string_view key,
                          std::string_view text, std::string_view hint) {
  std::string complaint = fmt::format("{}: {}: {}", place(where), key, text);
  if (!hint.empty()) complaint += fmt::format(" ({})", hint);
  complaints_.push_back({where.begin.line, std::move(complaint)});
}

void TomlReader::check_keys(const toml::table& table, std::string_view prefix,
                            std::span<const std::string> known) {
  for (const auto& [key, node] : table) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    complain(key.source(), dotted(prefix, key.str()),
             node.is_table() && prefix.empty() ? "unknown section" : "unknown key",
             suggest(key.str(), known));
  }
}

std::optional<std::string> TomlReader::text(const toml::table& table, std::string_view prefix,
                                            std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  std::optional<std::string> value = node->value_exact<std::string>();
  if (!value) complain_type(*node, prefix, key, "a string");
  return value;
}

std::optional<Millis> TomlReader::duration(const toml::table& table, std::string_view prefix,
                                           std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::string> written = node->value_exact<std::string>();
  if (!written) {
    complain_type(*node, prefix, key, "a duration like \"2s\"");
    return std::nullopt;
  }
  const Result<Millis> parsed = parse_duration(*written);
  if (!parsed) {
    complain(node->source(), dotted(prefix, key), parsed.error().text, parsed.error().hint);
    return std::nullopt;
  }
  return *parsed;
}

std::optional<bool> TomlReader::boolean(const toml::table& table, std::string_view prefix,
                                        std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<bool> value = node->value_exact<bool>();
  if (!value) complain_type(*node, prefix, key, "true or false");
  return value;
}

std::optional<std::vector<std::string>> TomlReader::texts(const toml::table& table,
                                                          std::string_view prefix,
                                                          std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    complain_type(*node, prefix, key, "an array of strings");
    return std::nullopt;
  }
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    const std::optional<std::string> value = element.value_exact<std::string>();
    if (!value) {
      complain_type(element, prefix, key, "an array of strings");
      return std::nullopt;
    }
    values.push_back(*value);
  }
  return values;
}

std::vector<const toml::table*> TomlReader::tables(const toml::table& root, std::string_view key) {
  const std::string known[] = {std::string(key)};
  check_keys(root, "", known);
  std::vector<const toml::table*> found;
  const toml::node* node = root.get(key);
  if (node == nullptr) return found;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    complain(node->source(), key, fmt::format("must be [[{}]] tables", key));
    return found;
  }
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      found.push_back(table);
    } else {
      complain(element.source(), key, fmt::format("must be [[{}]] tables", key));
    }
  }
  return found;
}

Status TomlReader::finish() const {
  if (complaints_.empty()) return {};
  std::vector<Complaint> sorted = complaints_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Complaint& a, const Complaint& b) { return a.line < b.line; });
  std::string text;
  for (std::size_t i = 0; i < sorted.size() && i < kComplaintsMax; ++i) {
    text += (i == 0 ? "" : "\n") + sorted[i].text;
  }
  if (sorted.size() > kComplaintsMax) {
    text += fmt::format("\n… and {} more", sorted.size() - kComplaintsMax);
  }
  return Error{Remedy::fix_call, std::move(text), ""};
}

void TomlReader::complain_type(const toml::node& node, std::string_view prefix,
                               std::string_view key, std::string_view wanted) {
  complain(node.source(), dotted(prefix, key),
           fmt::format("must be {}, not {}", wanted, type_in_words(node)));
}

}  // namespace waybill::cli
