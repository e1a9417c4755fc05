// rabbitmq.publish: the publisher port beside a bare program with rabbitmq-c, into a quorum queue.
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "publish.hpp"
#include "servers.hpp"
#include "waybill/brokers/rabbitmq.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

constexpr int kMessages = 10'000;  // a round of window 1000
constexpr int kSingles = 300;      // a round of window 1
constexpr int kRounds = 7;
const std::string kQueue = "bench";

amqp_bytes_t bytes(const std::string& text) {
  return {text.size(), const_cast<char*>(text.data())};
}

// A program that uses rabbitmq-c and nothing else: confirms, mandatory, persistent.
class BareSender {
 public:
  explicit BareSender(const std::string& url) : connection_(amqp_new_connection()) {
    std::string copy = url;
    amqp_connection_info info;
    if (amqp_parse_url(copy.data(), &info) != AMQP_STATUS_OK) throw std::runtime_error(url);
    amqp_socket_t* socket = amqp_tcp_socket_new(connection_);
    if (amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK) {
      throw std::runtime_error("cannot connect to " + url);
    }
    expect(amqp_login(connection_, *info.vhost == 0 ? "/" : info.vhost, 0, AMQP_DEFAULT_FRAME_SIZE,
                      0, AMQP_SASL_METHOD_PLAIN, info.user, info.password));
    amqp_channel_open(connection_, 1);
    expect(amqp_get_rpc_reply(connection_));
    amqp_confirm_select(connection_, 1);
    expect(amqp_get_rpc_reply(connection_));
  }
  ~BareSender() { amqp_destroy_connection(connection_); }
  BareSender(const BareSender&) = delete;
  BareSender& operator=(const BareSender&) = delete;

  void publish(int messages, int window) {
    const std::uint64_t first = confirmed_;
    for (int next = 0; static_cast<int>(confirmed_ - first) < messages;) {
      while (next < messages && next - static_cast<int>(confirmed_ - first) < window) send(next++);
      take_confirms();
    }
  }

 private:
  static void expect(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error("RabbitMQ refuses");
  }

  void send(int number) {
    static const std::array<std::pair<std::string, std::string>, 6> attributes = {{
        {"cloudEvents_specversion", "1.0"},
        {"cloudEvents_source", "waybill"},
        {"cloudEvents_type", kMessageType},
        {"cloudEvents_waybillsent", kSentAt},
        {"cloudEvents_waybillepoch", "0"},
        {"cloudEvents_id", ""},
    }};
    static const std::string kNumber = "waybillpublish";
    std::array<amqp_table_entry_t, 7> entries{};
    const auto text = [](amqp_table_entry_t& entry, const std::string& key,
                         const std::string& value) {
      entry.key = bytes(key);
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = bytes(value);
    };
    for (std::size_t i = 0; i < attributes.size(); ++i) {
      const auto& [name, value] = attributes[i];
      text(entries[i], name, value.empty() ? message_id(number) : value);
    }
    entries[6].key = bytes(kNumber);
    entries[6].value.kind = AMQP_FIELD_KIND_I64;
    entries[6].value.value.i64 = number;
    amqp_basic_properties_t properties{};
    properties._flags =
        AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
    properties.headers = {static_cast<int>(entries.size()), entries.data()};
    properties.delivery_mode = 2;
    properties.message_id = bytes(message_id(number));
    const int sent = amqp_basic_publish(connection_, 1, amqp_empty_bytes, bytes(kQueue), 1, 0,
                                        &properties, bytes(kPublishBody));
    if (sent != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(sent));
  }

  // Waits for one, then takes what is there.
  void take_confirms() {
    timeval wait{10, 0};
    for (;;) {
      amqp_frame_t frame;
      const int got = amqp_simple_wait_frame_noblock(connection_, &frame, &wait);
      if (got == AMQP_STATUS_TIMEOUT && wait.tv_sec == 0) return;
      if (got != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(got));
      if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        throw std::runtime_error("a message is not acked");
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      confirm(ack.delivery_tag, ack.multiple != 0);
      amqp_maybe_release_buffers(connection_);
      wait = {0, 0};
    }
  }

  // A quorum queue may confirm out of order.
  void confirm(std::uint64_t tag, bool all_before) {
    if (all_before) {
      confirmed_ = std::max(confirmed_, tag);
      early_.erase(early_.begin(), early_.upper_bound(confirmed_));
    } else {
      early_.insert(tag);
    }
    while (early_.erase(confirmed_ + 1) > 0) ++confirmed_;
  }

  amqp_connection_state_t connection_;
  std::uint64_t confirmed_ = 0;  // all up to here
  std::set<std::uint64_t> early_;
};

std::unique_ptr<Publisher> open_publisher() {
  rabbitmq::Options options;
  options.url = server_url("rabbitmq");
  rabbitmq::Topology topology;
  topology.queue = kQueue;
  testing::must(rabbitmq::apply_topology(options, topology));
  return testing::must(rabbitmq::open_publisher(options));
}

std::vector<Measurement> publish(const std::string& name, int messages, int window) {
  const std::unique_ptr<Publisher> ours = open_publisher();
  BareSender bare(server_url("rabbitmq"));
  publish_by_port(*ours, kQueue, messages, window);
  bare.publish(messages, window);
  return compare_costs(
      name, "msg/s", "rabbitmq-c alone, quorum queue", kRounds,
      [&] {
        return cost_of(messages, 0, [&] { publish_by_port(*ours, kQueue, messages, window); });
      },
      [&] { return cost_of(messages, 0, [&] { bare.publish(messages, window); }); });
}

Benchmark entry(const std::string& name, int messages, int window) {
  return {cost_entries(name), [=] { return publish(name, messages, window); }};
}

}  // namespace

std::vector<Benchmark> rabbitmq_benchmarks() {
  return {entry("rabbitmq.publish", kMessages, 1000), entry("rabbitmq.publish.single", kSingles, 1),
          publisher_memory_entry("rabbitmq.publish.window_memory", kQueue, open_publisher)};
}

}  // namespace waybill::bench
