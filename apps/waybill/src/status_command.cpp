// `waybill status`: where the messages of a table stand.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "commands.hpp"
#include "connections.hpp"
#include "duration.hpp"
#include "exit_code.hpp"

namespace waybill::cli {
namespace {

bool is_known(const StateCount& count) {
  return parse_message_state(count.state).has_value();
}

boost::json::object as_json(const StoreStatus& status, const std::string& table) {
  boost::json::array states;
  for (const StateCount& count : status.counts) {
    states.push_back(
        {{"state", json_text(count.state)}, {"rows", count.rows}, {"known", is_known(count)}});
  }
  boost::json::value age = nullptr;
  if (status.oldest_unfinished_age) age = status.oldest_unfinished_age->count();
  return {{"table", table},
          {"schema_version", status.schema_version},
          {"states", std::move(states)},
          {"oldest_unfinished_age_ms", std::move(age)},
          {"lease",
           {{"holder", json_text(status.lease.holder)},
            {"fence", status.lease.fence},
            {"counter", status.lease.counter}}}};
}

void print(const StoreStatus& status, Output& output) {
  std::vector<std::vector<std::string>> rows;
  for (const StateCount& count : status.counts) {
    rows.push_back({count.state, fmt::to_string(count.rows),
                    is_known(count) ? "" : "unknown state, left alone"});
  }
  if (rows.empty()) {
    output.line("no messages");
  } else {
    output.table({"STATE", "ROWS", "NOTE"}, rows);
  }
  output.line(
      fmt::format("oldest unfinished: {}", status.oldest_unfinished_age
                                               ? print_duration(*status.oldest_unfinished_age)
                                               : std::string("none")));
  output.line(fmt::format("lease: {} (fence {})",
                          status.lease.holder.empty() ? "free" : printable(status.lease.holder),
                          status.lease.fence));
  output.line(fmt::format("schema version: {}", status.schema_version));
}

Result<int> run(const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<StoreStatus> status = console->session->status();
  if (!status) return status.error();
  if (output.json()) {
    output.document(as_json(*status, config.store.table));
  } else {
    print(*status, output);
  }
  for (const StateCount& count : status->counts) {
    if (!is_known(count)) return kExitFindings;
  }
  return kExitOk;
}

}  // namespace

void add_status_command(CLI::App& app, Invocation& invocation) {
  CLI::App& command =
      add_command(app, invocation, "status", "Counts per state, oldest unfinished age, lease",
                  {"waybill status --store sqlite:///var/lib/shop/orders.db",
                   "0 shown; 1 the table holds rows in an unknown state"});
  add_store_flags(command, invocation);
  command.callback([&invocation] { invocation.run = run; });
}

}  // namespace waybill::cli
