#include "keys_file.hpp"

#include <fmt/format.h>

#include "text_file.hpp"
#include "toml_reader.hpp"

namespace waybill::cli {

Result<std::vector<confirm::Key>> parse_keys(std::string_view text, const std::string& file_name) {
  static const std::string kKnown[] = {"id", "consumer", "secret"};
  TomlReader reader(file_name, /*secret=*/true);
  const Result<toml::table> parsed = reader.parse(text);
  if (!parsed) return parsed.error();
  std::vector<confirm::Key> keys;
  for (const toml::table* table : reader.tables(*parsed, "key")) {
    reader.check_keys(*table, "key", kKnown);
    for (const std::string& name : kKnown) {
      if (table->get(name) == nullptr) {
        reader.complain(table->source(), dotted("key", name), "is missing");
      }
    }
    keys.push_back({reader.text(*table, "key", "id").value_or(""),
                    reader.text(*table, "key", "consumer").value_or(""),
                    reader.text(*table, "key", "secret").value_or("")});
  }
  if (const Status status = reader.finish(); !status) return status.error();
  return keys;
}

Result<confirm::KeyRing> load_keys(const std::string& path) {
  const Result<std::string> text = read_text_file(path);
  if (!text) return text.error();
  Result<std::vector<confirm::Key>> keys = parse_keys(*text, path);
  if (!keys) return keys.error();
  Result<confirm::KeyRing> ring = confirm::KeyRing::make(std::move(*keys));
  if (!ring) {
    return Error{Remedy::fix_call, fmt::format("{}: {}", path, ring.error().text),
                 ring.error().hint};
  }
  return ring;
}

}  // namespace waybill::cli
