// `waybill schema`: prints, applies and checks the tables.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "commands.hpp"
#include "connections.hpp"
#include "exit_code.hpp"
#include "suggestion.hpp"

namespace waybill::cli {
namespace {

Result<store::SchemaPart> parse_part(const std::string& name) {
  if (name == "producer") return store::SchemaPart::producer;
  if (name == "consumer") return store::SchemaPart::consumer;
  const std::string known[] = {"producer", "consumer"};
  return Error{Remedy::fix_call, fmt::format("--part: unknown part '{}'", name),
               suggest(name, known)};
}

void show(const std::string& part_name, const std::string& sql, Output& output) {
  if (output.json()) {
    output.document(boost::json::object{{"part", part_name}, {"sql", sql}});
  } else {
    output.line(sql);
  }
}

Result<int> print(const std::string& part_name, const Config& config, Output& output) {
  const Result<store::SchemaPart> part = parse_part(part_name);
  if (!part) return part.error();
  Config printed = config;
  if (printed.store.url.empty()) printed.store.url = "sqlite:///any";
  const Result<StoreOptions> options = store_options(printed);
  if (!options) return options.error();
  show(part_name, print_schema(*options, *part), output);
  return kExitOk;
}

Result<int> roles(const std::string& part_name, const Config& config, Output& output) {
  const Result<store::SchemaPart> part = parse_part(part_name);
  if (!part) return part.error();
  const Result<StoreOptions> options = store_options(config);
  if (!options) return options.error();
  const Result<std::string> sql = print_roles(*options, *part);
  if (!sql) return sql.error();
  show(part_name, *sql, output);
  return kExitOk;
}

Result<int> apply(const std::string& part_name, const Config& config, Output& output) {
  const Result<store::SchemaPart> part = parse_part(part_name);
  if (!part) return part.error();
  const Result<StoreOptions> options = store_options(config);
  if (!options) return options.error();
  const Result<store::SchemaApplied> applied = apply_schema(*options, *part);
  if (!applied) return about_file(name_of(*options), applied.error());
  if (output.json()) {
    boost::json::array done;
    for (const std::string& step : applied->done) done.emplace_back(step);
    output.document(boost::json::object{{"part", part_name},
                                        {"version_before", applied->version_before},
                                        {"version_after", applied->version_after},
                                        {"done", std::move(done)}});
    return kExitOk;
  }
  for (const std::string& step : applied->done) output.line(step);
  output.line(fmt::format("{} schema: version {} (was {})", part_name, applied->version_after,
                          applied->version_before));
  return kExitOk;
}

Result<int> check(const std::string& part_name, const Config& config, Output& output) {
  const Result<store::SchemaPart> part = parse_part(part_name);
  if (!part) return part.error();
  const Result<StoreOptions> options = store_options(config);
  if (!options) return options.error();
  const Result<std::vector<store::SchemaFinding>> findings = check_schema(*options, *part);
  if (!findings) return about_file(name_of(*options), findings.error());
  if (output.json()) {
    boost::json::array items;
    for (const store::SchemaFinding& finding : *findings) {
      items.push_back({{"fatal", finding.fatal},
                       {"text", json_text(finding.text)},
                       {"statement", finding.statement}});
    }
    output.document(boost::json::object{{"part", part_name}, {"findings", std::move(items)}});
  } else {
    for (const store::SchemaFinding& finding : *findings) {
      output.line(
          fmt::format("{}: {}", finding.fatal ? "fatal" : "reduced", printable(finding.text)));
      if (!finding.statement.empty()) output.line("  " + finding.statement);
    }
    if (findings->empty()) output.line(fmt::format("{} schema: complete", part_name));
  }
  return findings->empty() ? kExitOk : kExitFindings;
}

using RunOnPart = Result<int> (*)(const std::string& part, const Config&, Output&);

CLI::App& add(CLI::App& group, Invocation& invocation, const std::string& name,
              const std::string& description, const HelpTexts& help, RunOnPart run) {
  CLI::App& command = add_command(group, invocation, name, description, help);
  const auto part = std::make_shared<std::string>("producer");  // between flag and callback
  add_option(command, "--part", *part, "producer|consumer",
             "producer: message table and what goes with it; consumer: inbox", Presence::defaulted);
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [part, run](const Config& config, Output& output) { return run(*part, config, output); });
  return command;
}

}  // namespace

void add_schema_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group = add_group(app, "schema", "Print, apply and check the tables");
  add(group, invocation, "print",
      "Print the SQL of the tables, for the kind of --store (SQLite without one)",
      {"waybill schema print --part consumer", "0 printed"}, print);
  add(group, invocation, "roles",
      "Print the SQL of a database role for each kind of process, with the least that it needs",
      {"waybill schema roles --store postgresql://shop@db/orders", "0 printed"}, roles);
  add(group, invocation, "apply", "Create what is missing; safe to repeat",
      {"waybill schema apply --store sqlite:///var/lib/shop/orders.db", "0 applied"}, apply);
  add(group, invocation, "check", "Say what the tables lack, with the statements",
      {"waybill schema check --store sqlite:///var/lib/shop/orders.db",
       "0 complete; 1 findings, each fatal or a reduced guarantee"},
      check);
}

}  // namespace waybill::cli
