// Strict reading of TOML: everything wrong is reported with file, line and key.
#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

// Reads one file and collects complaints of the form "waybill.toml:7: relay.ttl: …".
//
//   TomlReader reader("routes.toml");
//   const Result<toml::table> table = reader.parse(text);
//   ... reader.text(*table, "route", "destination") ...
//   if (const Status status = reader.finish(); !status) return status.error();
//
// **Ownership**: borrows nothing. **Errors**: all fix_call.
// **Thread safety**: confined to one thread.
class TomlReader {
 public:
  // With `secret`, syntax errors are told by line only: the parser's texts may quote the file.
  explicit TomlReader(std::string file_name, bool secret = false)
      : file_name_(std::move(file_name)), secret_(secret) {}

  [[nodiscard]] Result<toml::table> parse(std::string_view text) const;

  // "waybill.toml:7".
  [[nodiscard]] std::string place(const toml::source_region& where) const;

  // Records what is wrong with `key` (dotted, as written) at the node's line.
  void complain(const toml::source_region& where, std::string_view key, std::string_view text,
                std::string_view hint = "");

  // Complains about each key of `table` that is not in `known`; `prefix` is the table's own name.
  void check_keys(const toml::table& table, std::string_view prefix,
                  std::span<const std::string> known);

  // The value of `key`, or nothing when it is absent or of another type (then with a complaint).
  [[nodiscard]] std::optional<std::string> text(const toml::table& table, std::string_view prefix,
                                                std::string_view key);
  [[nodiscard]] std::optional<Millis> duration(const toml::table& table, std::string_view prefix,
                                               std::string_view key);
  [[nodiscard]] std::optional<bool> boolean(const toml::table& table, std::string_view prefix,
                                            std::string_view key);
  // An array of strings.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const toml::table& table,
                                                              std::string_view prefix,
                                                              std::string_view key);
  // The tables of `[[key]]`; complains about anything else.
  [[nodiscard]] std::vector<const toml::table*> tables(const toml::table& root,
                                                       std::string_view key);

  // All complaints in line order as one fix_call error, or success.
  [[nodiscard]] Status finish() const;

 private:
  struct Complaint {
    std::size_t line;
    std::string text;
  };

  void complain_type(const toml::node& node, std::string_view prefix, std::string_view key,
                     std::string_view wanted);

  std::string file_name_;
  bool secret_;
  std::vector<Complaint> complaints_;
};

// "relay" and "ttl" as "relay.ttl"; the key alone without a prefix.
[[nodiscard]] std::string dotted(std::string_view prefix, std::string_view key);

// A node's type in words: "a string", "an integer", …
[[nodiscard]] std::string_view type_in_words(const toml::node& node) noexcept;

}  // namespace waybill::cli
