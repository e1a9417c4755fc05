// `waybill status`: where the messages of a table stand, and whether somebody relays it.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "commands.hpp"
#include "connections.hpp"
#include "duration.hpp"
#include "exit_code.hpp"
#include "relay_life.hpp"

namespace waybill::cli {
namespace {

bool is_known(const StateCount& count) {
  return parse_message_state(count.state).has_value();
}

std::string_view describe(RelayLife life) noexcept {
  switch (life) {
    case RelayLife::alive:
      return "alive: its lease moves";
    case RelayLife::silent:
      return "silent: its lease stands still";
    case RelayLife::none:
      return "none: nobody holds the lease";
    case RelayLife::unknown:
      break;
  }
  return "unknown: looked once only";
}

boost::json::object as_json(const StoreStatus& status, RelayLife life, const std::string& table) {
  boost::json::array states;
  for (const StateCount& count : status.counts) {
    states.push_back({{"state", json_text(count.state)},
                      {"rows", count.rows},
                      {"known", is_known(count)},
                      {"oldest", print_time(count.oldest)}});
  }
  boost::json::array consumers;
  for (const ConsumerProgress& consumer : status.consumers) {
    consumers.push_back({{"message_type", json_text(consumer.message_type)},
                         {"consumer", json_text(consumer.consumer)},
                         {"confirmed_sent", print_time(consumer.confirmed_sent)},
                         {"retention_s", consumer.retention.count()}});
  }
  boost::json::value age = nullptr;
  if (status.oldest_unfinished_age) age = status.oldest_unfinished_age->count();
  return {{"table", table},
          {"schema_version", status.schema_version},
          {"now", print_time(status.now)},
          {"states", std::move(states)},
          {"oldest_unfinished_age_ms", std::move(age)},
          {"retry_due", status.retry_due},
          {"relay", to_string(life)},
          {"lease",
           {{"holder", json_text(status.lease.holder)},
            {"fence", status.lease.fence},
            {"counter", status.lease.counter}}},
          {"consumers", std::move(consumers)}};
}

void print(const StoreStatus& status, RelayLife life, Output& output) {
  std::vector<std::vector<std::string>> rows;
  for (const StateCount& count : status.counts) {
    rows.push_back({count.state, fmt::to_string(count.rows), print_time(count.oldest),
                    is_known(count) ? "" : "unknown state, left alone"});
  }
  if (rows.empty()) {
    output.line("no messages");
  } else {
    output.table({"STATE", "ROWS", "OLDEST", "NOTE"}, rows);
  }
  output.line(fmt::format("oldest unfinished: {}", status.oldest_unfinished_age
                                                       ? print_age(*status.oldest_unfinished_age)
                                                       : std::string("none")));
  output.line(fmt::format("retries due: {}", status.retry_due));
  output.line(fmt::format("lease: {} (fence {})",
                          status.lease.holder.empty() ? "free" : printable(status.lease.holder),
                          status.lease.fence));
  output.line(fmt::format("relay: {}", describe(life)));
  output.line(fmt::format("schema version: {}", status.schema_version));
  if (status.consumers.empty()) return;
  rows.clear();
  for (const ConsumerProgress& consumer : status.consumers) {
    rows.push_back({consumer.message_type, consumer.consumer, print_time(consumer.confirmed_sent),
                    print_duration(consumer.retention)});
  }
  output.line("\nconsumers");
  output.table({"TYPE", "CONSUMER", "CONFIRMED UP TO", "INBOX KEEPS"}, rows);
}

Result<int> run(bool no_wait, const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<StoreStatus> status = console->session->status();
  if (!status) return status.error();
  RelayLife life = RelayLife::unknown;
  if (!no_wait) {
    const auto watched = watch_relay(*console->session, status->lease, patience_of(config));
    if (!watched) return watched.error();
    life = *watched;
  }
  if (output.json()) {
    output.document(as_json(*status, life, config.store.table));
  } else {
    print(*status, life, output);
  }
  for (const StateCount& count : status->counts) {
    if (!is_known(count)) return kExitFindings;
  }
  return kExitOk;
}

}  // namespace

void add_status_command(CLI::App& app, Invocation& invocation) {
  CLI::App& command = add_command(app, invocation, "status",
                                  "Counts per state, oldest unfinished age, relay, consumers",
                                  {"waybill status --store sqlite:///var/lib/shop/orders.db",
                                   "0 shown; 1 the table holds rows in an unknown state"});
  const auto no_wait = std::make_shared<bool>(false);  // between flag and callback
  add_switch(command, "--no-wait", *no_wait, "Look once; whether a relay lives stays unknown");
  add_store_flags(command, invocation);
  set_run(command, invocation, [no_wait](const Config& config, Output& output) {
    return run(*no_wait, config, output);
  });
}

}  // namespace waybill::cli
