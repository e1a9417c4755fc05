// `waybill routes`: where each message type goes and who must confirm it.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <optional>

#include "commands.hpp"
#include "connections.hpp"
#include "duration.hpp"
#include "exit_code.hpp"
#include "routes_file.hpp"
#include "text_file.hpp"

namespace waybill::cli {
namespace {

boost::json::array as_json(const std::vector<Route>& routes) {
  boost::json::array items;
  for (const Route& route : routes) {
    boost::json::array consumers;
    for (const std::string& consumer : route.consumers) consumers.emplace_back(consumer);
    items.push_back({{"message_type", json_text(route.message_type)},
                     {"destination", json_text(route.destination)},
                     {"consumers", std::move(consumers)},
                     {"confirm_deadline_ms", route.confirm_deadline.count()},
                     {"ordering", to_string(route.ordering)},
                     {"dispatch", to_string(route.dispatch)},
                     {"version", route.version}});
  }
  return items;
}

void print(const std::vector<Route>& routes, Output& output) {
  if (output.json()) {
    output.document(boost::json::object{{"routes", as_json(routes)}});
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Route& route : routes) {
    rows.push_back({route.message_type, route.destination, join_consumers(route.consumers),
                    print_duration(route.confirm_deadline), std::string(to_string(route.ordering)),
                    std::string(to_string(route.dispatch)), fmt::to_string(route.version)});
  }
  if (rows.empty()) {
    output.line("no routes: nothing will be published");
  } else {
    output.table(
        {"TYPE", "DESTINATION", "CONSUMERS", "CONFIRM DEADLINE", "ORDERING", "DISPATCH", "VERSION"},
        rows);
  }
}

Result<int> list(const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<std::vector<Route>> routes = console->session->routes();
  if (!routes) return routes.error();
  print(*routes, output);
  return kExitOk;
}

// Writes `routes` and shows them as stored.
Result<int> write(ConsoleSession& session, const std::vector<Route>& routes, Output& output) {
  for (const Route& route : routes) {
    if (const Status status = validate(route); !status) return status.error();
  }
  if (const Status status = session.set_routes(routes); !status) return status.error();
  const Result<std::vector<Route>> stored = session.routes();
  if (!stored) return stored.error();
  std::vector<Route> written;
  for (const Route& route : *stored) {
    for (const Route& asked : routes) {
      if (asked.message_type == route.message_type) written.push_back(route);
    }
  }
  print(written, output);
  return kExitOk;
}

// What `routes set` was told; members that are not set keep what the route has.
struct RouteFlags {
  std::string message_type;
  std::optional<std::string> destination, consumers, confirm_deadline, ordering, dispatch;
};

template <class Value, class Parse>
Status change(const std::optional<std::string>& text, std::string_view flag, Parse parse,
              Value& value) {
  if (!text) return {};
  const Result<Value> parsed = parse(*text);
  if (!parsed) {
    return Error{parsed.error().remedy, fmt::format("{}: {}", flag, parsed.error().text),
                 parsed.error().hint};
  }
  value = *parsed;
  return {};
}

Status change_route(const RouteFlags& flags, Route& route) {
  if (flags.destination) route.destination = *flags.destination;
  Status status = change(flags.consumers, "--consumers", parse_consumers, route.consumers);
  if (status) {
    status = change(flags.confirm_deadline, "--confirm-deadline", parse_duration,
                    route.confirm_deadline);
  }
  if (status) status = change(flags.ordering, "--ordering", parse_ordering, route.ordering);
  if (status) status = change(flags.dispatch, "--dispatch", parse_dispatch, route.dispatch);
  return status;
}

Result<int> set(const RouteFlags& flags, const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<std::vector<Route>> routes = console->session->routes();
  if (!routes) return routes.error();
  Route route{.message_type = flags.message_type, .destination = "", .consumers = {}};
  for (const Route& existing : *routes) {
    if (existing.message_type == flags.message_type) route = existing;
  }
  if (route.destination.empty() && !flags.destination) {
    return Error{Remedy::fix_call,
                 fmt::format("'{}' has no route yet and no --destination is given",
                             printable(flags.message_type)),
                 "give --destination NAME: the topic that its messages go to"};
  }
  if (const Status status = change_route(flags, route); !status) return status.error();
  return write(*console->session, {route}, output);
}

Result<int> apply(const std::string& path, const Config& config, Output& output) {
  const Result<std::string> text = read_text_file(path);
  if (!text) return text.error();
  const Result<std::vector<Route>> routes = parse_routes(*text, path);
  if (!routes) return routes.error();
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  return write(*console->session, *routes, output);
}

void add_set(CLI::App& group, Invocation& invocation) {
  CLI::App& command = add_command(
      group, invocation, "set",
      "Create or change the route of one message type; a flag that is not given changes "
      "nothing",
      {"waybill routes set order.placed --destination orders --consumers points "
       "--confirm-deadline 30s --store sqlite:///var/lib/shop/orders.db",
       "0 written"});
  const auto flags = std::make_shared<RouteFlags>();  // between flags and callback
  add_option(command, "TYPE", flags->message_type, "", "Message type, or '*' for every other type",
             Presence::required);
  add_option(command, "--destination", flags->destination, "NAME",
             "Topic, or its name in [destinations]; required for a new route");
  add_option(command, "--consumers", flags->consumers, "A,B",
             "Who must confirm; '' for nobody (new route: nobody)");
  add_option(command, "--confirm-deadline", flags->confirm_deadline, "DURATION",
             "How long a confirmation may take (new route: 30s)");
  add_option(command, "--ordering", flags->ordering, "ORDERING",
             "none, publish or confirmed (new route: none)");
  add_option(command, "--dispatch", flags->dispatch, "DISPATCH",
             "relay, async or sync (new route: relay)");
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return set(*flags, config, output); });
}

}  // namespace

void add_routes_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group = add_group(app, "routes", "Show and change where message types go");
  CLI::App& show =
      add_command(group, invocation, "list", "Show every route",
                  {"waybill routes list --store sqlite:///var/lib/shop/orders.db", "0 shown"});
  add_store_flags(show, invocation);
  set_run(show, invocation, list);
  add_set(group, invocation);
  CLI::App& from_file = add_command(
      group, invocation, "apply", "Write the routes of a TOML file; types not in it stay",
      {"waybill routes apply routes.toml --store sqlite:///var/lib/shop/orders.db", "0 written"});
  const auto path = std::make_shared<std::string>();  // between flag and callback
  add_option(from_file, "FILE", *path, "", "TOML file with [[route]] tables", Presence::required);
  add_store_flags(from_file, invocation);
  set_run(from_file, invocation,
          [path](const Config& config, Output& output) { return apply(*path, config, output); });
}

}  // namespace waybill::cli
