// `waybill doctor`: what is wrong, what it means and what to do.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <iterator>
#include <limits>
#include <memory>
#include <set>

#include "commands.hpp"
#include "connections.hpp"
#include "destinations.hpp"
#include "doctor_checks.hpp"
#include "duration.hpp"
#include "exit_code.hpp"

namespace waybill::cli {
namespace {

struct DoctorFlags {
  std::string age_max;
  DoctorLimits limits;
  bool no_wait = false;
};

using Findings = std::vector<Finding>;

void append(Findings& findings, Findings more) {
  std::move(more.begin(), more.end(), std::back_inserter(findings));
}

// What the schema lacks. **Errors**: as open_store.
Result<Findings> check_tables(const Config& config) {
  const Result<StoreOptions> options = existing_store(config);
  if (!options) return options.error();
  const auto lacking = check_schema(*options, store::SchemaPart::producer);
  if (!lacking) return about_file(name_of(*options), lacking.error());
  Findings findings;
  for (const store::SchemaFinding& finding : *lacking) {
    findings.push_back({finding.name, finding.fatal, finding.text,
                        finding.fatal ? "waybill cannot work with this table"
                                      : "the table works, with less speed or a weaker guarantee",
                        finding.statement});
  }
  return findings;
}

// The types that have rows in any lane.
Result<std::vector<std::string>> waiting_types(MessageStore& store) {
  const Result<std::unique_ptr<RelaySession>> session = store.open_relay();
  if (!session) return session.error();
  std::set<std::string> types;
  for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due}) {
    const Result<std::vector<std::string>> present = (*session)->types_present(lane);
    if (!present) return present.error();
    types.insert(present->begin(), present->end());
  }
  return std::vector<std::string>(types.begin(), types.end());
}

Result<Findings> examine_table(const DoctorFlags& flags, const Config& config) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  ConsoleSession& session = *console->session;
  TableFacts facts;
  const Result<StoreStatus> status = session.status();
  if (!status) return status.error();
  facts.status = *status;
  const Result<std::vector<Route>> routes = session.routes();
  if (!routes) return routes.error();
  facts.routes = *routes;
  const Result<std::vector<std::string>> types = waiting_types(*console->store);
  if (!types) return types.error();
  facts.types = *types;
  MessageFilter lowest;
  lowest.after_id = std::numeric_limits<std::int64_t>::min();
  lowest.rows_max = 1;
  const Result<std::vector<MessageRow>> rows = session.list(lowest);
  if (!rows) return rows.error();
  if (!rows->empty()) facts.lowest_id = rows->front().id;
  if (!flags.no_wait) {
    const auto relay = watch_relay(session, facts.status.lease, patience_of(config));
    if (!relay) return relay.error();
    facts.relay = *relay;
  }
  Findings findings = check_table(facts, flags.limits);
  Result<Findings> inspected = session.inspect();
  if (!inspected) return inspected.error();
  append(findings, std::move(*inspected));
  return findings;
}

Result<Findings> examine_queue(const DoctorFlags& flags, const Config& config) {
  const Result<Broker> broker = broker_of(config, "default");
  if (!broker) return broker.error();
  const auto* const options = std::get_if<embedded::Options>(&broker->options);
  if (options == nullptr) return Findings{};  // has tools of its own
  if (is_missing(options->path)) {
    return Findings{{"queue_missing", false, fmt::format("no such file: {}", options->path),
                     "nothing was published there yet, or the path is wrong",
                     "the first publish creates it"}};
  }
  const Result<std::vector<embedded::TopicStatus>> topics = embedded::topics(*options);
  if (!topics) return about_file(options->path, topics.error());
  // The queue's times are those of this host's clock.
  const auto now = std::chrono::system_clock::now();
  std::vector<QueueFacts> facts;
  for (const embedded::TopicStatus& topic : *topics) {
    QueueFacts& fact = facts.emplace_back();
    fact.topic = topic.topic;
    fact.messages = topic.messages;
    for (const embedded::GroupStatus& group : topic.groups) {
      Millis unread_for{0};
      if (group.oldest_unread) {
        unread_for = std::chrono::duration_cast<Millis>(now - *group.oldest_unread);
      }
      fact.groups.push_back({group.group, group.lag, unread_for});
    }
  }
  return check_queue(facts, options->retention, flags.limits);
}

int print(const Findings& findings, Output& output) {
  const bool healthy = std::none_of(findings.begin(), findings.end(),
                                    [](const Finding& finding) { return finding.severe; });
  const auto severity = [](const Finding& finding) { return finding.severe ? "error" : "warning"; };
  if (output.json()) {
    boost::json::array items;
    for (const Finding& finding : findings) {
      items.push_back({{"name", finding.name},
                       {"severity", severity(finding)},
                       {"text", json_text(finding.text)},
                       {"meaning", json_text(finding.meaning)},
                       {"remedy", json_text(finding.remedy)}});
    }
    output.document(boost::json::object{{"healthy", healthy}, {"findings", std::move(items)}});
  } else {
    for (const Finding& finding : findings) {
      output.line(
          fmt::format("{} {}: {}", severity(finding), finding.name, printable(finding.text)));
      output.line(fmt::format("  means: {}", printable(finding.meaning)));
      output.line(fmt::format("  do:    {}", printable(finding.remedy)));
    }
    if (findings.empty()) output.line("healthy");
  }
  return healthy ? kExitOk : kExitFindings;
}

Result<int> run(DoctorFlags flags, const Config& config, Output& output) {
  if (!flags.age_max.empty()) {
    const Result<Millis> age = parse_duration(flags.age_max);
    if (!age) {
      return Error{Remedy::fix_call, "--age-max: " + age.error().text, age.error().hint};
    }
    flags.limits.age_max = *age;
  }
  Result<Findings> findings = check_tables(config);
  if (!findings) return findings.error();
  const bool usable = std::none_of(findings->begin(), findings->end(),
                                   [](const Finding& finding) { return finding.severe; });
  if (usable) {
    Result<Findings> table = examine_table(flags, config);
    if (!table) return table.error();
    append(*findings, std::move(*table));
  }
  if (!config.destinations.fallback.url.empty()) {
    Result<Findings> queue = examine_queue(flags, config);
    if (!queue) return queue.error();
    append(*findings, std::move(*queue));
  }
  return print(*findings, output);
}

}  // namespace

void add_doctor_command(CLI::App& app, Invocation& invocation) {
  CLI::App& command = add_command(app, invocation, "doctor",
                                  "Say what is wrong with a table and its queue, and what to do",
                                  {"waybill doctor --store sqlite:///var/lib/shop/orders.db "
                                   "--queue queue:///var/lib/shop/queue.db",
                                   "0 no finding of severity error; 1 at least one"});
  const auto flags = std::make_shared<DoctorFlags>();  // between flags and callback
  add_option(command, "--age-max", flags->age_max, "DURATION",
             "The oldest unfinished message may be so old (default: 10m)");
  add_number(command, "--lag-max", flags->limits.lag_max, "N",
             "A group may be so many messages behind", Presence::defaulted);
  add_switch(command, "--no-wait", flags->no_wait, "Do not look whether a relay lives");
  add_store_flags(command, invocation);
  add_queue_flag(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return run(*flags, config, output); });
}

}  // namespace waybill::cli
