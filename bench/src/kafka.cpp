// kafka.publish: the publisher port beside a bare program with the same library and settings.
#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "publish.hpp"
#include "servers.hpp"
#include "waybill/brokers/kafka.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

constexpr int kMessages = 60'000;  // a round of window 1000
constexpr int kSingles = 500;      // a round of window 1
constexpr int kRounds = 11;
constexpr std::uint32_t kPartitions = 4;
const std::string kTopic = "bench";

// A program that uses librdkafka and nothing else.
class BareProducer {
 public:
  explicit BareProducer(const std::string& brokers) {
    rd_kafka_conf_t* config = rd_kafka_conf_new();
    const std::array<std::pair<const char*, const char*>, 16> settings = {{
        {"bootstrap.servers", brokers.c_str()},
        {"client.id", "bare"},
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"linger.ms", "0"},
        {"socket.nagle.disable", "true"},
        {"socket.keepalive.enable", "true"},
        {"partitioner", "murmur2_random"},
        {"message.timeout.ms", "10000"},
        {"request.timeout.ms", "10000"},
        {"socket.timeout.ms", "10000"},
        {"allow.auto.create.topics", "false"},
        {"message.max.bytes", "1048576"},
        {"batch.size", "1000000"},
        {"queue.buffering.max.messages", "1000"},
        {"queue.buffering.max.kbytes", "65536"},
    }};
    std::array<char, 512> detail{};
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(config, name, value, detail.data(), detail.size()) !=
          RD_KAFKA_CONF_OK) {
        throw std::runtime_error(detail.data());
      }
    }
    rd_kafka_conf_set_opaque(config, this);
    rd_kafka_conf_set_dr_msg_cb(config,
                                [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
                                  auto* producer = static_cast<BareProducer*>(self);
                                  ++producer->answered_;
                                  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                                    producer->failed_ = true;
                                });
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, config, detail.data(), detail.size()));
    if (!client_) throw std::runtime_error(detail.data());
    topic_.reset(rd_kafka_topic_new(client_.get(), kTopic.c_str(), nullptr));
  }

  void publish(int messages, int window) {
    answered_ = 0;
    for (int next = 0; answered_ < messages;) {
      while (next < messages && next - answered_ < window) produce(next++);
      rd_kafka_poll(client_.get(), 1000);
      if (failed_) throw std::runtime_error("a message is not acked");
    }
  }

 private:
  void produce(int number) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(8);
    const auto add = [&](const char* name, const std::string& value) {
      rd_kafka_header_add(headers, name, -1, value.data(), static_cast<ssize_t>(value.size()));
    };
    static const std::string kVersion = "1.0", kSource = "waybill", kType = kMessageType,
                             kSent = kSentAt, kEpoch = "0";
    add("ce_specversion", kVersion);
    add("ce_id", message_id(number));
    add("ce_source", kSource);
    add("ce_type", kType);
    add("ce_waybillsent", kSent);
    add("ce_waybillepoch", kEpoch);
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE(const_cast<char*>(kPublishBody.data()), kPublishBody.size()),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(error));
  }

  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client_{nullptr, &rd_kafka_destroy};
  std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> topic_{
      nullptr, &rd_kafka_topic_destroy};
  int answered_ = 0;
  bool failed_ = false;
};

std::unique_ptr<Publisher> open_publisher() {
  kafka::Options options;
  options.brokers = server_url("kafka");
  testing::must(kafka::apply_topology(options, {kTopic, kPartitions, 1}));
  return testing::must(kafka::open_publisher(options));
}

std::vector<Measurement> publish(const std::string& name, int messages, int window) {
  const std::unique_ptr<Publisher> ours = open_publisher();
  const std::string url = server_url("kafka");
  BareProducer bare(url.substr(url.rfind('/') + 1));
  // A broker that was just started is compiling itself.
  static bool is_warm = false;
  if (!std::exchange(is_warm, true)) bare.publish(kPublishWarmUp, 1000);
  publish_by_port(*ours, kTopic, messages, window);
  bare.publish(messages, window);
  return compare_costs(
      name, "msg/s", "librdkafka alone", kRounds,
      [&] {
        return cost_of(messages, 0, [&] { publish_by_port(*ours, kTopic, messages, window); });
      },
      [&] { return cost_of(messages, 0, [&] { bare.publish(messages, window); }); });
}

Benchmark entry(const std::string& name, int messages, int window) {
  return {cost_entries(name), [=] { return publish(name, messages, window); }};
}

}  // namespace

std::vector<Benchmark> kafka_benchmarks() {
  return {entry("kafka.publish", kMessages, 1000), entry("kafka.publish.single", kSingles, 1),
          publisher_memory_entry("kafka.publish.window_memory", kTopic, open_publisher)};
}

}  // namespace waybill::bench
