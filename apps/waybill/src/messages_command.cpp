// `waybill messages list | show`: finds messages and shows where they stand.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "commands.hpp"
#include "connections.hpp"
#include "exit_code.hpp"
#include "message_filter.hpp"
#include "message_reference.hpp"
#include "waybill/message.hpp"

namespace waybill::cli {
namespace {

// Without the content: a list of payloads is nothing an operator asked for.
boost::json::object as_json(const MessageRow& row) {
  boost::json::object item = {{"id", row.id},
                              {"message_id", json_text(message_id_of(row))},
                              {"state", json_text(state_of(row))},
                              {"message_type", json_text(row.message_type)},
                              {"biz_type", json_text(row.biz_type)},
                              {"identifier", json_text(row.identifier)},
                              {"key", json_text(row.key)},
                              {"gmt_create", print_time(row.gmt_create)},
                              {"gmt_modified", print_time(row.gmt_modified)},
                              {"sends", row.sends},
                              {"refusals", row.refusals},
                              {"epoch", row.epoch},
                              {"reason", json_text(row.reason)},
                              {"defect", json_text(row.defect)}};
  if (row.state == MessageState::RETRY) item["next_attempt_at"] = print_time(row.next_attempt_at);
  if (row.first_accepted_at) item["first_accepted_at"] = print_time(*row.first_accepted_at);
  return item;
}

// One message with its way: where its route leads and whose confirmation is missing.
struct Shown {
  MessageHistory history;
  std::string destination;  // empty = no route
  std::vector<std::string> waits_for;
};

Shown with_route(MessageHistory history, const std::vector<Route>& routes) {
  Shown shown{std::move(history), {}, {}};
  const MessageRow& row = shown.history.row;
  const Route* route = find_route(routes, row.message_type);
  if (route == nullptr) return shown;
  shown.destination = route->destination;
  if (is_final(row.state) || !row.unknown_state.empty()) return shown;
  for (const std::string& consumer : route->consumers) {
    const auto& receipts = shown.history.receipts;
    const bool done = std::any_of(receipts.begin(), receipts.end(), [&](const Receipt& receipt) {
      return receipt.consumer == consumer && receipt.verdict == Verdict::done;
    });
    if (!done) shown.waits_for.push_back(consumer);
  }
  return shown;
}

boost::json::object as_json(const Shown& shown) {
  const MessageHistory& history = shown.history;
  boost::json::object item = as_json(history.row);
  const bool text = is_storable_text(history.row.content);
  item["content"] = text ? history.row.content : base64(history.row.content);
  item["content_encoding"] = text ? "text" : "base64";
  item["traceparent"] = json_text(history.row.traceparent);
  item["destination"] = json_text(shown.destination);
  boost::json::array waits_for;
  for (const std::string& consumer : shown.waits_for) waits_for.emplace_back(consumer);
  item["waits_for"] = std::move(waits_for);
  boost::json::array receipts;
  for (const Receipt& receipt : history.receipts) {
    receipts.push_back({{"consumer", json_text(receipt.consumer)},
                        {"verdict", to_string(receipt.verdict)},
                        {"epoch", receipt.epoch},
                        {"reason", json_text(receipt.reason)},
                        {"gmt_create", print_time(receipt.gmt_create)}});
  }
  item["receipts"] = std::move(receipts);
  boost::json::array audit;
  for (const AuditEntry& entry : history.audit) {
    audit.push_back({{"gmt_create", print_time(entry.gmt_create)},
                     {"operator", json_text(entry.operator_name)},
                     {"action", json_text(entry.action)},
                     {"state_before", json_text(entry.state_before)},
                     {"reason", json_text(entry.reason)}});
  }
  item["audit"] = std::move(audit);
  return item;
}

Result<int> list(const FilterFlags& flags, const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<MessageFilter> filter = make_filter(flags, *console->session);
  if (!filter) return filter.error();
  const Result<std::vector<MessageRow>> rows = console->session->list(*filter);
  if (!rows) return rows.error();
  const bool more = rows->size() >= filter->rows_max;
  if (output.json()) {
    boost::json::array items;
    for (const MessageRow& row : *rows) items.push_back(as_json(row));
    boost::json::value next = nullptr;
    if (more) next = rows->back().id;
    output.document(
        boost::json::object{{"messages", std::move(items)}, {"next_after", std::move(next)}});
  } else if (rows->empty()) {
    output.line("no messages");
  } else {
    std::vector<std::vector<std::string>> cells;
    for (const MessageRow& row : *rows) {
      cells.push_back({fmt::to_string(row.id), std::string(state_of(row)), message_id_of(row),
                       print_time(row.gmt_create), print_time(row.gmt_modified), row.reason});
    }
    output.table({"ID", "STATE", "MESSAGE ID", "CREATED", "MODIFIED", "REASON"}, cells);
    if (more) output.line(fmt::format("next page: --after {}", rows->back().id));
  }
  if (!rows->empty()) return kExitOk;
  if (const std::string doubt = doubt_about_state(filter->state); !doubt.empty()) {
    fmt::print(stderr, "hint: --state: {}\n", doubt);
  }
  return kExitFindings;
}

void print_tables(const MessageHistory& history, Output& output) {
  if (!history.receipts.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const Receipt& receipt : history.receipts) {
      rows.push_back({receipt.consumer, std::string(to_string(receipt.verdict)),
                      fmt::to_string(receipt.epoch), print_time(receipt.gmt_create),
                      receipt.reason});
    }
    output.line("\nreceipts");
    output.table({"CONSUMER", "VERDICT", "EPOCH", "AT", "REASON"}, rows);
  }
  if (!history.audit.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const AuditEntry& entry : history.audit) {
      rows.push_back({print_time(entry.gmt_create), entry.operator_name, entry.action,
                      entry.state_before, entry.reason});
    }
    output.line("\nwhat operators did");
    output.table({"AT", "OPERATOR", "ACTION", "STATE BEFORE", "REASON"}, rows);
  }
}

void print(const Shown& shown, Output& output) {
  const MessageRow& row = shown.history.row;
  const auto field = [&output](std::string_view name, std::string_view value) {
    output.line(fmt::format("{:<18}{}", name, value.empty() ? "-" : printable(value)));
  };
  field("id", fmt::to_string(row.id));
  field("message id", message_id_of(row));
  field("state", state_of(row));
  if (!row.unknown_state.empty()) field("", "outside the closed set: left alone");
  field("created", print_time(row.gmt_create));
  field("modified", print_time(row.gmt_modified));
  field("key", row.key);
  field("traceparent", row.traceparent);
  field("destination", shown.destination.empty() ? "no route" : shown.destination);
  field("waits for", fmt::format("{}", fmt::join(shown.waits_for, ", ")));
  field("sends", fmt::to_string(row.sends));
  field("refusals", fmt::to_string(row.refusals));
  field("epoch", fmt::to_string(row.epoch));
  field("first accepted", row.first_accepted_at ? print_time(*row.first_accepted_at) : "");
  if (row.state == MessageState::RETRY) field("next attempt", print_time(row.next_attempt_at));
  field("reason", row.reason);
  if (!row.defect.empty()) field("defect", row.defect);
  field("content", row.content);
  print_tables(shown.history, output);
}

Result<int> show(const std::string& name, const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  Result<std::optional<MessageHistory>> found = find_message(*console->session, name);
  if (!found) return found.error();
  if (!found->has_value()) {
    if (output.json()) {
      output.document(boost::json::object{{"message", nullptr}});
    } else {
      output.line(fmt::format("no message {}", printable(name)));
    }
    return kExitFindings;
  }
  const Result<std::vector<Route>> routes = console->session->routes();
  if (!routes) return routes.error();
  const Shown shown = with_route(std::move(**found), *routes);
  if (output.json()) {
    output.document(boost::json::object{{"message", as_json(shown)}});
  } else {
    print(shown, output);
  }
  return kExitOk;
}

void add_list(CLI::App& group, Invocation& invocation) {
  CLI::App& command =
      add_command(group, invocation, "list", "Find messages, in id order",
                  {"waybill messages list --state DEAD --destination orders --since 2h --limit 20 "
                   "--store sqlite:///var/lib/shop/orders.db",
                   "0 found; 1 nothing found"});
  const auto flags = std::make_shared<FilterFlags>();  // between flags and callback
  add_filter_flags(command, *flags);
  add_number(command, "--after", flags->filter.after_id, "ID", "Only rows behind this id (paging)");
  add_limit(command, flags->filter.rows_max, "rows");
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return list(*flags, config, output); });
}

}  // namespace

void add_messages_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group = add_group(app, "messages", "Find, show, replay, cancel and re-send messages");
  add_list(group, invocation);
  CLI::App& command =
      add_command(group, invocation, "show", "One message and its history, content included",
                  {"waybill messages show order/order.placed/A-17 "
                   "--store sqlite:///var/lib/shop/orders.db",
                   "0 found; 1 no such message"});
  const auto name = std::make_shared<std::string>();  // between flag and callback
  add_option(command, "ID", *name, "", "Row id, or message id as biz_type/message_type/identifier",
             Presence::required);
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [name](const Config& config, Output& output) { return show(*name, config, output); });
  add_message_actions(group, invocation);
}

}  // namespace waybill::cli
