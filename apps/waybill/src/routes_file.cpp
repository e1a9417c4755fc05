#include "routes_file.hpp"

#include <fmt/format.h>

#include <set>

#include "toml_reader.hpp"

namespace waybill::cli {
namespace {

constexpr std::string_view kName = "route";

template <class Value, class Parse>
void take_word(const toml::table& table, std::string_view key, Parse parse, TomlReader& reader,
               Value& value) {
  const std::optional<std::string> word = reader.text(table, kName, key);
  if (!word) return;
  const Result<Value> parsed = parse(*word);
  if (parsed) {
    value = *parsed;
  } else {
    reader.complain(table.get(key)->source(), dotted(kName, key), parsed.error().text,
                    parsed.error().hint);
  }
}

Route take_route(const toml::table& table, TomlReader& reader) {
  static const std::string kKnown[] = {"message_type",     "destination", "consumers",
                                       "confirm_deadline", "ordering",    "dispatch"};
  reader.check_keys(table, kName, kKnown);
  Route route;
  for (const std::string_view key : {"message_type", "destination"}) {
    if (table.get(key) == nullptr)
      reader.complain(table.source(), dotted(kName, key), "is missing");
  }
  route.message_type = reader.text(table, kName, "message_type").value_or("");
  route.destination = reader.text(table, kName, "destination").value_or("");
  route.consumers = reader.texts(table, kName, "consumers").value_or(std::vector<std::string>{});
  route.confirm_deadline =
      reader.duration(table, kName, "confirm_deadline").value_or(route.confirm_deadline);
  take_word(table, "ordering", parse_ordering, reader, route.ordering);
  take_word(table, "dispatch", parse_dispatch, reader, route.dispatch);
  return route;
}

}  // namespace

Result<std::vector<Route>> parse_routes(std::string_view text, const std::string& file_name) {
  TomlReader reader(file_name);
  const Result<toml::table> parsed = reader.parse(text);
  if (!parsed) return parsed.error();
  std::vector<Route> routes;
  std::set<std::string> types;
  for (const toml::table* table : reader.tables(*parsed, kName)) {
    Route route = take_route(*table, reader);
    const bool complete = !route.message_type.empty() && !route.destination.empty();
    if (const Status status = validate(route); complete && !status) {
      reader.complain(table->source(), kName, status.error().text, status.error().hint);
    }
    if (complete && !types.insert(route.message_type).second) {
      reader.complain(table->source(), kName,
                      fmt::format("message type '{}' is here twice", route.message_type));
    }
    routes.push_back(std::move(route));
  }
  if (const Status status = reader.finish(); !status) return status.error();
  if (routes.empty()) {
    return Error{Remedy::fix_call, fmt::format("{}: no routes in it", file_name),
                 "write [[route]] with message_type and destination"};
  }
  return routes;
}

}  // namespace waybill::cli
