// `waybill inbox parked | replay`: what a consumer set aside, and how it is handled anew.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <memory>

#include "commands.hpp"
#include "connections.hpp"
#include "destinations.hpp"
#include "exit_code.hpp"
#include "operator_flags.hpp"
#include "waybill/message.hpp"

namespace waybill::cli {
namespace {

constexpr std::chrono::seconds kPublishWait{10};

struct ParkedFlags {
  std::string consumer;
  std::uint32_t limit = 100;
};

boost::json::object as_json(const ParkedMessage& parked) {
  const bool text = is_storable_text(parked.body);
  return {{"consumer", json_text(parked.consumer)},
          {"message_id", json_text(parked.message_id)},
          {"message_type", json_text(parked.message_type)},
          {"reason", json_text(parked.reason)},
          {"epoch", parked.epoch},
          {"attempts", parked.attempts},
          {"key", json_text(parked.key)},
          {"gmt_create", print_time(parked.gmt_create)},
          {"content", text ? parked.body : base64(parked.body)},
          {"content_encoding", text ? "text" : "base64"}};
}

Result<int> list(const ParkedFlags& flags, const Config& config, Output& output) {
  Result<InboxConsole> inbox = open_inbox_console(config);
  if (!inbox) return inbox.error();
  const Result<std::vector<ParkedMessage>> parked =
      inbox->session->parked(flags.consumer, flags.limit);
  if (!parked) return parked.error();
  boost::json::array items;
  std::vector<std::vector<std::string>> rows;
  for (const ParkedMessage& message : *parked) {
    if (output.json()) {
      items.push_back(as_json(message));
      continue;
    }
    rows.push_back({message.consumer, message.message_id, fmt::to_string(message.epoch),
                    fmt::to_string(message.attempts), print_time(message.gmt_create),
                    message.reason});
  }
  if (output.json()) {
    output.document(boost::json::object{{"parked", std::move(items)}});
  } else if (rows.empty()) {
    output.line("nothing is parked");
  } else {
    output.table({"CONSUMER", "MESSAGE ID", "EPOCH", "ATTEMPTS", "PARKED", "REASON"}, rows);
  }
  return parked->empty() ? kExitFindings : kExitOk;
}

struct ReplayFlags {
  std::string message_id;
  std::string consumer;
  std::string topic;
  OperatorFlags who;
};

// Keeps the outcome of the one message that is published here.
class OneOutcome final : public OutcomeSink {
 public:
  void on_outcome(const PublishOutcome& outcome) override {
    known_ = true;
    result_ = outcome.result;
    reason_ = outcome.reason;
  }

  [[nodiscard]] bool is_known() const noexcept { return known_; }
  [[nodiscard]] Status status(const std::string& topic) const {
    if (result_ == PublishResult::acked) return {};
    const std::string text =
        fmt::format("topic '{}': {}: {}", topic, to_string(result_), printable(reason_));
    switch (result_) {
      case PublishResult::rejected:
      case PublishResult::destination_down:
        return Error{Remedy::fix_call, text, "is it the topic that the consumer reads?"};
      case PublishResult::unknown:
        return Error{Remedy::look, text, "look with waybill queue peek before repeating it"};
      default:
        return Error{Remedy::retry, text, "nothing was published; repeat it"};
    }
  }

 private:
  bool known_ = false;
  PublishResult result_ = PublishResult::unknown;
  std::string reason_;
};

Status publish(Publisher& publisher, const std::string& topic, const ParkedMessage& message) {
  Outgoing outgoing;
  outgoing.destination = topic;
  outgoing.message_id = message.message_id;
  outgoing.message_type = message.message_type;
  outgoing.key = message.key;
  outgoing.traceparent = message.traceparent;
  outgoing.body = message.body;
  outgoing.epoch = message.epoch + 1;
  const Steady deadline = std::chrono::steady_clock::now() + kPublishWait;
  OneOutcome outcome;
  if (publisher.submit({&outgoing, 1}) != 1) {
    return Error{Remedy::retry, fmt::format("topic '{}' takes no message now", topic), ""};
  }
  while (!outcome.is_known() && std::chrono::steady_clock::now() < deadline) {
    publisher.poll(deadline, outcome);
  }
  publisher.close(deadline, outcome);
  return outcome.status(topic);
}

int print(const ReplayFlags& flags, const std::optional<ParkedMessage>& taken, Output& output) {
  if (output.json()) {
    boost::json::object document = {{"message", json_text(flags.message_id)},
                                    {"consumer", json_text(flags.consumer)},
                                    {"result", taken ? "done" : "not_found"}};
    if (taken) document["epoch"] = taken->epoch + 1;
    output.document(document);
  } else if (taken) {
    output.line(fmt::format("published to '{}' under epoch {}: {} handles it anew", flags.topic,
                            taken->epoch + 1, flags.consumer));
  } else {
    output.line(fmt::format("'{}' is not parked for {}, or was handled since",
                            printable(flags.message_id), printable(flags.consumer)));
  }
  return taken ? kExitOk : kExitFindings;
}

Result<int> replay(const ReplayFlags& flags, const Config& config, Output& output) {
  if (const Status status = check(flags.who); !status) return status.error();
  Result<InboxConsole> inbox = open_inbox_console(config);
  if (!inbox) return inbox.error();
  Result<embedded::Options> queue = existing_queue(
      config, flags.topic, "with another broker replay at the producer: waybill messages replay");
  if (!queue) return queue.error();
  queue->create_topics = false;
  const Result<std::unique_ptr<Publisher>> publisher = embedded::open_publisher(*queue);
  if (!publisher) return about_file(queue->path, publisher.error());
  // The audit comes first: nothing is published that nobody answers for.
  const Result<std::optional<ParkedMessage>> taken =
      inbox->session->take_up(flags.consumer, flags.message_id, flags.who.who(), flags.who.reason);
  if (!taken) return taken.error();
  if (taken->has_value()) {
    const Status published = publish(**publisher, flags.topic, **taken);
    if (!published) return published.error();
  }
  return print(flags, *taken, output);
}

void add_parked(CLI::App& group, Invocation& invocation) {
  CLI::App& command = add_command(
      group, invocation, "parked", "List what consumers refused and nobody handled since",
      {"waybill inbox parked --store sqlite:///var/lib/shop/points.db", "0 listed; 1 nothing"});
  const auto flags = std::make_shared<ParkedFlags>();  // between flags and callback
  add_option(command, "--consumer", flags->consumer, "NAME", "Only this consumer's");
  add_limit(command, flags->limit, "messages");
  add_store_flags(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return list(*flags, config, output); });
}

}  // namespace

void add_inbox_commands(CLI::App& app, Invocation& invocation) {
  CLI::App& group = add_group(app, "inbox", "What a consumer set aside");
  add_parked(group, invocation);
  CLI::App& command = add_command(
      group, invocation, "replay",
      "Publish a parked message again under a newer epoch, so that its consumer handles it anew",
      {"waybill inbox replay order/order.placed/A-17 --consumer points --topic orders --reason "
       "'user created' --store sqlite:///var/lib/shop/points.db --queue "
       "queue:///var/lib/shop/queue.db",
       "0 published; 1 it is not parked"});
  const auto flags = std::make_shared<ReplayFlags>();  // between flags and callback
  add_option(command, "ID", flags->message_id, "", "Message id, as waybill inbox parked shows it",
             Presence::required);
  add_option(command, "--consumer", flags->consumer, "NAME", "Whose message", Presence::required);
  add_option(command, "--topic", flags->topic, "NAME", "Topic that the consumer reads",
             Presence::required);
  add_operator_flags(command, flags->who);
  add_store_flags(command, invocation);
  add_embedded_queue_flag(command, invocation);
  set_run(command, invocation,
          [flags](const Config& config, Output& output) { return replay(*flags, config, output); });
}

}  // namespace waybill::cli
