// `waybill messages list | show`: finds messages and shows where they stand.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "commands.hpp"
#include "connections.hpp"
#include "duration.hpp"
#include "exit_code.hpp"
#include "message_reference.hpp"
#include "suggestion.hpp"
#include "waybill/message.hpp"

namespace waybill::cli {
namespace {

constexpr std::uint32_t kLimitMax = 1000;

// Without the content: a list of payloads is nothing an operator asked for.
boost::json::object as_json(const MessageRow& row) {
  boost::json::object item = {{"id", row.id},
                              {"message_id", json_text(message_id_of(row))},
                              {"state", to_string(row.state)},
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

boost::json::object as_json(const MessageHistory& history) {
  boost::json::object item = as_json(history.row);
  const bool text = is_storable_text(history.row.content);
  item["content"] = text ? history.row.content : base64(history.row.content);
  item["content_encoding"] = text ? "text" : "base64";
  item["traceparent"] = json_text(history.row.traceparent);
  boost::json::array receipts;
  for (const Receipt& receipt : history.receipts) {
    receipts.push_back({{"consumer", json_text(receipt.consumer)},
                        {"verdict", to_string(receipt.verdict)},
                        {"epoch", receipt.epoch},
                        {"reason", json_text(receipt.reason)},
                        {"gmt_create", print_time(receipt.gmt_create)}});
  }
  item["receipts"] = std::move(receipts);
  return item;
}

struct ListFlags {
  MessageFilter filter;
  std::int64_t id = 0;
  std::string state;
};

Result<MessageFilter> make_filter(const ListFlags& flags) {
  MessageFilter filter = flags.filter;
  if (flags.id != 0) filter.id = flags.id;
  if (flags.state.empty()) return filter;
  filter.state = parse_message_state(flags.state);
  if (!filter.state) {
    std::vector<std::string> known;
    for (const MessageState state : kMessageStates) known.emplace_back(to_string(state));
    return Error{Remedy::fix_call, fmt::format("--state: unknown state '{}'", flags.state),
                 suggest(flags.state, known)};
  }
  return filter;
}

Result<int> list(const ListFlags& flags, const Config& config, Output& output) {
  const Result<MessageFilter> filter = make_filter(flags);
  if (!filter) return filter.error();
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<std::vector<MessageRow>> rows = console->session->list(*filter);
  if (!rows) return rows.error();
  const bool more = rows->size() >= filter->rows_max;
  if (output.json()) {
    boost::json::array items;
    for (const MessageRow& row : *rows) items.push_back(as_json(row));
    boost::json::value next = nullptr;
    if (more) next = rows->back().id;
    output.document(
        boost::json::object{{"messages", std::move(items)}, {"next_after_id", std::move(next)}});
  } else if (rows->empty()) {
    output.line("no messages");
  } else {
    std::vector<std::vector<std::string>> cells;
    for (const MessageRow& row : *rows) {
      cells.push_back({fmt::to_string(row.id), std::string(to_string(row.state)),
                       message_id_of(row), print_time(row.gmt_create), print_time(row.gmt_modified),
                       row.reason});
    }
    output.table({"ID", "STATE", "MESSAGE ID", "CREATED", "MODIFIED", "REASON"}, cells);
    if (more) output.line(fmt::format("next page: --after-id {}", rows->back().id));
  }
  return rows->empty() ? kExitFindings : kExitOk;
}

void print(const MessageHistory& history, Output& output) {
  const MessageRow& row = history.row;
  const auto field = [&output](std::string_view name, std::string_view value) {
    output.line(fmt::format("{:<18}{}", name, value.empty() ? "-" : printable(value)));
  };
  field("id", fmt::to_string(row.id));
  field("message id", message_id_of(row));
  field("state", to_string(row.state));
  field("created", print_time(row.gmt_create));
  field("modified", print_time(row.gmt_modified));
  field("key", row.key);
  field("traceparent", row.traceparent);
  field("sends", fmt::to_string(row.sends));
  field("refusals", fmt::to_string(row.refusals));
  field("epoch", fmt::to_string(row.epoch));
  field("first accepted", row.first_accepted_at ? print_time(*row.first_accepted_at) : "");
  if (row.state == MessageState::RETRY) field("next attempt", print_time(row.next_attempt_at));
  field("reason", row.reason);
  if (!row.defect.empty()) field("defect", row.defect);
  for (const Receipt& receipt : history.receipts) {
    field("receipt",
          fmt::format("{} {} epoch {} at {} {}", receipt.consumer, to_string(receipt.verdict),
                      receipt.epoch, print_time(receipt.gmt_create), receipt.reason));
  }
  field("content", row.content);
}

Result<int> show(const std::string& name, const Config& config, Output& output) {
  Result<Console> console = open_console(config);
  if (!console) return console.error();
  const Result<std::optional<MessageHistory>> found = find_message(*console->session, name);
  if (!found) return found.error();
  const std::optional<MessageHistory>& history = *found;
  if (output.json()) {
    boost::json::value message = nullptr;
    if (history) message = as_json(*history);
    output.document(boost::json::object{{"message", std::move(message)}});
  } else if (history) {
    print(*history, output);
  } else {
    output.line(fmt::format("no message {}", printable(name)));
  }
  return history ? kExitOk : kExitFindings;
}

void add_list(CLI::App& group, Invocation& invocation) {
  CLI::App& command =
      add_command(group, invocation, "list", "Find messages, in id order",
                  {"waybill messages list --state DEAD --type order.placed --limit 20 "
                   "--store sqlite:///var/lib/shop/orders.db",
                   "0 found; 1 nothing found"});
  const auto flags = std::make_shared<ListFlags>();  // between flags and callback
  command.add_option("--id", flags->id, "Row id")->check(CLI::PositiveNumber)->type_name("ID");
  command.add_option("--identifier", flags->filter.identifier, "Identifier, compared as bytes")
      ->type_name("TEXT");
  command.add_option("--type", flags->filter.message_type, "Message type")->type_name("TYPE");
  command.add_option("--biz-type", flags->filter.biz_type, "Business domain")->type_name("TEXT");
  command
      .add_option("--state", flags->state, "INIT, SENT, RETRY, PARKED, SUCCESS, DEAD or CANCELLED")
      ->type_name("STATE");
  command.add_option("--after-id", flags->filter.after_id, "Only rows behind this id (paging)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("ID");
  command.add_option("--limit", flags->filter.rows_max, "At most so many rows, 1 … 1000")
      ->check(CLI::Range(1U, kLimitMax))
      ->type_name("N")
      ->capture_default_str();
  add_store_flags(command, invocation);
  command.callback([&invocation, flags] {
    invocation.run = [flags](const Config& config, Output& output) {
      return list(*flags, config, output);
    };
  });
}

}  // namespace

void add_messages_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group = add_group(app, "messages", "Find, show, replay, cancel and re-send messages");
  add_list(group, invocation);
  CLI::App& command =
      add_command(group, invocation, "show", "Everything about one message, content included",
                  {"waybill messages show order/order.placed/A-17 "
                   "--store sqlite:///var/lib/shop/orders.db",
                   "0 found; 1 no such message"});
  const auto name = std::make_shared<std::string>();  // between flag and callback
  command.add_option("message", *name, "Row id, or message id as biz_type/message_type/identifier")
      ->required()
      ->type_name("ID");
  add_store_flags(command, invocation);
  command.callback([&invocation, name] {
    invocation.run = [name](const Config& config, Output& output) {
      return show(*name, config, output);
    };
  });
  add_message_actions(group, invocation);
}

}  // namespace waybill::cli
