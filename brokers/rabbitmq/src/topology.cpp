#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "connection.hpp"
#include "options.hpp"

namespace waybill::rabbitmq {
namespace {

constexpr std::uint16_t kNotFound = AMQP_NOT_FOUND;

Steady now() {
  return std::chrono::steady_clock::now();
}

Error fix(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

// What the server refuses with, by closing the channel.
struct Refusal {
  std::uint16_t code = 0;
  std::string text;
};

// Asks one thing after the other through a connection of its own.
class Admin final : private ChannelUser {
 public:
  Admin(const Options& options, const Server& server)
      : connection_(server.address, server.tls.get(), options.tls.verify_name,
                    options.connect_timeout, std::chrono::seconds(0), options.source),
        until_(now() + options.admin_timeout) {
    connection_.open();
  }
  ~Admin() { connection_.close(until_, waker_, *this); }
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // **Errors**: `retry` when there was no answer, `fix_call` when the login was refused.
  Result<std::optional<Refusal>> ask(amqp_method_number_t id, void* method) {
    if (auto ready = wait_for([this] { return connection_.state() == Connection::State::open; });
        !ready) {
      return ready.error();
    }
    is_answered_ = false;
    refusal_.reset();
    append_method(connection_.output(), kChannel, id, method);
    if (auto answered = wait_for([this] { return is_answered_; }); !answered) {
      return answered.error();
    }
    return refusal_;
  }

 private:
  template <class Condition>
  Status wait_for(Condition condition) {
    for (;;) {
      connection_.work(*this);
      if (condition()) return {};
      if (connection_.state() == Connection::State::closed) {
        const Lost& lost = connection_.lost();
        const bool ours = lost.result == PublishResult::destination_down;
        return Error{ours ? Remedy::fix_call : Remedy::retry, lost.reason,
                     "check host, port, TLS, credentials and virtual host"};
      }
      if (now() >= until_) {
        return Error{Remedy::retry, "RabbitMQ does not answer within admin_timeout", "try again"};
      }
      connection_.wait(until_, waker_);
    }
  }

  void on_channel_open() override {}
  void on_frame(const amqp_frame_t& frame) override {
    is_answered_ = is_answered_ || frame.frame_type == AMQP_FRAME_METHOD;
  }
  bool on_channel_closed(std::uint16_t code, const std::string& text) override {
    is_answered_ = true;
    refusal_ = Refusal{code, text};
    return true;
  }

  Connection connection_;
  Waker waker_;
  const Steady until_;
  bool is_answered_ = false;
  std::optional<Refusal> refusal_;
};

class Declaring {
 public:
  Declaring(Admin& admin, const Topology& topology) : admin_(admin), topology_(topology) {}

  Status check() {
    if (!topology_.exchange.empty()) {
      if (auto found = look_for_exchange(); !found) return found;
    }
    if (topology_.queue.empty()) return {};
    if (auto found = look_for_queue(); !found) return found;
    return compare_queue();
  }

  Status apply() {
    if (!topology_.exchange.empty()) {
      if (auto made = make_exchange(); !made) return made;
    }
    if (topology_.queue.empty()) return {};
    auto declared = declare_queue(false);
    if (!declared) return declared.error();
    if (*declared) return refused("queue '" + topology_.queue + "'", **declared);
    for (const std::string& key : topology_.bindings) {
      if (auto bound = bind(key); !bound) return bound;
    }
    return {};
  }

 private:
  Status look_for_exchange() {
    auto found = declare_exchange(true);
    if (!found) return found.error();
    return *found ? refused("exchange '" + topology_.exchange + "'", **found) : Status();
  }

  Status look_for_queue() {
    auto found = declare_queue(true);
    if (!found) return found.error();
    return *found ? refused("queue '" + topology_.queue + "'", **found) : Status();
  }

  Status make_exchange() {
    auto made = declare_exchange(false);
    if (!made) return made.error();
    return *made ? refused("exchange '" + topology_.exchange + "'", **made) : Status();
  }

  // A declaration of what is there compares. What else it finds different (a length limit, a
  // dead-letter exchange) is the owner's affair.
  Status compare_queue() {
    auto compared = declare_queue(false);
    if (!compared) return compared.error();
    if (!*compared || (*compared)->code != AMQP_PRECONDITION_FAILED) return {};
    const std::string& text = (*compared)->text;
    if (text.find("'durable'") != text.npos || text.find("'auto_delete'") != text.npos) {
      return fix(
          "queue '" + topology_.queue + "' is not durable, what it holds dies with the server",
          "delete it, and let apply_topology make it");
    }
    if (text.find("'x-queue-type'") != text.npos) {
      const bool wants_quorum = topology_.queue_kind == QueueKind::quorum;
      return fix("queue '" + topology_.queue + "' is " +
                     (wants_quorum ? "no quorum queue: on one node only" : "no classic queue"),
                 "make a new one and move to it, or expect what it is by queue_kind");
    }
    if (text.find("'x-single-active-consumer'") != text.npos) {
      return fix("queue '" + topology_.queue + "' differs in single_active",
                 "make a new one and move to it, or expect what it is");
    }
    return {};
  }

  Result<std::optional<Refusal>> declare_exchange(bool passive) {
    amqp_exchange_declare_t declare{};
    declare.exchange = to_bytes(topology_.exchange);
    declare.type = to_bytes(topology_.exchange_type);
    declare.passive = passive ? 1 : 0;
    declare.durable = 1;
    return admin_.ask(AMQP_EXCHANGE_DECLARE_METHOD, &declare);
  }

  Result<std::optional<Refusal>> declare_queue(bool passive) {
    std::array arguments = {
        text_entry("x-queue-type",
                   topology_.queue_kind == QueueKind::quorum ? "quorum" : "classic"),
        flag_entry("x-single-active-consumer")};
    amqp_queue_declare_t declare{};
    declare.queue = to_bytes(topology_.queue);
    declare.passive = passive ? 1 : 0;
    declare.durable = 1;
    declare.arguments = to_table(std::span(arguments).first(topology_.single_active ? 2 : 1));
    return admin_.ask(AMQP_QUEUE_DECLARE_METHOD, &declare);
  }

  Status bind(const std::string& key) {
    amqp_queue_bind_t bind{};
    bind.queue = to_bytes(topology_.queue);
    bind.exchange = to_bytes(topology_.exchange);
    bind.routing_key = to_bytes(key);
    auto bound = admin_.ask(AMQP_QUEUE_BIND_METHOD, &bind);
    if (!bound) return bound.error();
    return *bound ? refused("binding '" + key + "' of queue '" + topology_.queue + "'", **bound)
                  : Status();
  }

  static Status refused(const std::string& what, const Refusal& refusal) {
    if (refusal.code == kNotFound) {
      return fix(what + " does not exist: " + refusal.text,
                 "create it, as waybill broker apply does");
    }
    return fix(what + ": " + refusal.text,
               "make it as described, describe it as it is, or grant access");
  }

  Admin& admin_;
  const Topology& topology_;
};

Status check_names(const Topology& topology) {
  const auto is_fitting = [](const std::string& name) { return name.empty() || is_name(name); };
  if (topology.exchange.empty() && topology.queue.empty()) {
    return fix("neither exchange nor queue is named", "name what messages go to");
  }
  if (!is_fitting(topology.exchange) || !is_fitting(topology.queue) ||
      topology.exchange.find('/') != std::string::npos ||
      !std::all_of(topology.bindings.begin(), topology.bindings.end(), is_fitting)) {
    return fix("a name is over 255 bytes, or an exchange's holds '/'", "choose another");
  }
  if (!topology.exchange.empty() && !is_name(topology.exchange_type)) {
    return fix("the exchange has no type", "topic, direct, fanout or headers");
  }
  if (!topology.bindings.empty() && (topology.exchange.empty() || topology.queue.empty())) {
    return fix("bindings need an exchange and a queue", "name both");
  }
  return {};
}

}  // namespace

Status check_topology(const Options& options, const Topology& topology) {
  auto server = check(options);
  if (!server) return server.error();
  if (auto named = check_names(topology); !named) return named;
  Admin admin(options, *server);
  return Declaring(admin, topology).check();
}

Status apply_topology(const Options& options, const Topology& topology) {
  auto server = check(options);
  if (!server) return server.error();
  if (auto named = check_names(topology); !named) return named;
  Admin admin(options, *server);
  return Declaring(admin, topology).apply();
}

}  // namespace waybill::rabbitmq
