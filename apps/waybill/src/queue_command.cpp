// `waybill queue peek | topics`: what lies in an embedded queue.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "commands.hpp"
#include "connections.hpp"
#include "destinations.hpp"
#include "exit_code.hpp"
#include "waybill/message.hpp"

namespace waybill::cli {
namespace {

// The queue that the command was asked about.
Result<embedded::Options> named_queue(const Config& config) {
  if (config.destinations.fallback.url.empty()) {
    return Error{Remedy::fix_call, "no queue is named",
                 "give --queue queue:///absolute/path, set WAYBILL_QUEUE, or write default in "
                 "[destinations]"};
  }
  return existing_queue(config, "default",
                        "look at it with its broker's own tools, as kcat or rabbitmqctl");
}

struct PeekFlags {
  std::string topic;
  std::int64_t after = 0;
  std::uint32_t limit = 20;
};

boost::json::object as_json(const embedded::StoredMessage& stored) {
  const Delivery& message = stored.message;
  const bool text = is_storable_text(message.body);
  return {{"position", stored.position},
          {"partition", stored.partition},
          {"published_at", print_time(stored.published_at)},
          {"message_id", json_text(message.message_id)},
          {"message_type", json_text(message.message_type)},
          {"key", json_text(message.key)},
          {"traceparent", json_text(message.traceparent)},
          {"epoch", message.epoch},
          {"sent_at", print_time(message.sent_at)},
          {"content", text ? message.body : base64(message.body)},
          {"content_encoding", text ? "text" : "base64"}};
}

Result<int> peek(const PeekFlags& flags, const Config& config, Output& output) {
  const Result<embedded::Options> queue = named_queue(config);
  if (!queue) return queue.error();
  const Result<std::vector<embedded::StoredMessage>> messages =
      embedded::peek(*queue, flags.topic, flags.after, flags.limit);
  if (!messages) return about_file(queue->path, messages.error());
  const bool more = messages->size() >= flags.limit;
  if (output.json()) {
    boost::json::array items;
    for (const embedded::StoredMessage& message : *messages) items.push_back(as_json(message));
    boost::json::value next = nullptr;
    if (more) next = messages->back().position;
    output.document(
        boost::json::object{{"messages", std::move(items)}, {"next_after", std::move(next)}});
  } else if (messages->empty()) {
    output.line("no messages");
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const embedded::StoredMessage& stored : *messages) {
      rows.push_back({fmt::to_string(stored.position), fmt::to_string(stored.partition),
                      print_time(stored.published_at), stored.message.message_id,
                      fmt::to_string(stored.message.epoch),
                      fmt::to_string(stored.message.body.size())});
    }
    output.table({"POSITION", "PARTITION", "PUBLISHED", "MESSAGE ID", "EPOCH", "BYTES"}, rows);
    if (more) output.line(fmt::format("next page: --after {}", messages->back().position));
  }
  return messages->empty() ? kExitFindings : kExitOk;
}

Result<int> topics(const Config& config, Output& output) {
  const Result<embedded::Options> queue = named_queue(config);
  if (!queue) return queue.error();
  const Result<std::vector<embedded::TopicStatus>> found = embedded::topics(*queue);
  if (!found) return about_file(queue->path, found.error());
  boost::json::array items;
  std::vector<std::vector<std::string>> rows;
  for (const embedded::TopicStatus& topic : *found) {
    boost::json::array groups;
    std::string lags;
    for (const embedded::GroupStatus& group : topic.groups) {
      groups.push_back({{"group", json_text(group.group)}, {"lag", group.lag}});
      lags += fmt::format("{}{}: {}", lags.empty() ? "" : ", ", group.group, group.lag);
    }
    rows.push_back({topic.topic, fmt::to_string(topic.partitions), fmt::to_string(topic.messages),
                    std::move(lags)});
    items.push_back({{"topic", json_text(topic.topic)},
                     {"partitions", topic.partitions},
                     {"messages", topic.messages},
                     {"groups", std::move(groups)}});
  }
  if (output.json()) {
    output.document(boost::json::object{{"topics", std::move(items)}});
  } else if (rows.empty()) {
    output.line("no topics");
  } else {
    output.table({"TOPIC", "PARTITIONS", "MESSAGES", "LAG OF GROUPS"}, rows);
  }
  return found->empty() ? kExitFindings : kExitOk;
}

}  // namespace

void add_queue_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group = add_group(app, "queue", "Look into an embedded queue");
  CLI::App& command = add_command(
      group, invocation, "peek", "Show messages in queue order; no cursor moves",
      {"waybill queue peek --topic orders --limit 5 --queue queue:///var/lib/shop/queue.db",
       "0 shown; 1 nothing there"});
  const auto flags = std::make_shared<PeekFlags>();  // between flags and callback
  add_option(command, "--topic", flags->topic, "NAME", "Topic; the destination of the route",
             Presence::required);
  add_number(command, "--after", flags->after, "POSITION",
             "Only messages behind this position (paging)", Presence::defaulted);
  add_limit(command, flags->limit, "messages");
  add_embedded_queue_flag(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return peek(*flags, config, output); });
  CLI::App& list = add_command(
      group, invocation, "topics", "List the topics with the lag of their consumer groups",
      {"waybill queue topics --queue queue:///var/lib/shop/queue.db", "0 shown; 1 nothing there"});
  add_embedded_queue_flag(list, invocation);
  set_run(list, invocation, topics);
}

}  // namespace waybill::cli
