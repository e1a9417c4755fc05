#include "client.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

namespace waybill::kafka {
namespace {

constexpr std::string_view kUrlPrefix = "kafka://";
constexpr std::size_t kTopicBytesMax = 249;
constexpr std::size_t kErrorBytes = 512;
constexpr std::size_t kBatchBytesMax = 1'000'000;

using Settings = std::vector<std::pair<std::string, std::string>>;
using Config = Owned<rd_kafka_conf_t, rd_kafka_conf_destroy>;

// Other spellings of what waybill sets, and what would change its promises.
constexpr std::string_view kRefused[] = {"request.required.acks",
                                         "delivery.timeout.ms",
                                         "metadata.broker.list",
                                         "message.send.max.retries",
                                         "retries",
                                         "max.in.flight",
                                         "max.in.flight.requests.per.connection",
                                         "transactional.id",
                                         "group.instance.id",
                                         "security.protocol",
                                         "sasl.mechanisms",
                                         "sasl.mechanism",
                                         "sasl.username",
                                         "sasl.password",
                                         "ssl.ca.location",
                                         "ssl.certificate.location",
                                         "ssl.key.location",
                                         "ssl.endpoint.identification.algorithm",
                                         "enable.ssl.certificate.verification"};

Error refuse(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

std::string text_of(Millis time) {
  return std::to_string(time.count());
}

// What `extra` may replace.
Settings defaults() {
  return {{"linger.ms", "0"},
          {"socket.nagle.disable", "true"},
          {"socket.keepalive.enable", "true"},
          {"partitioner", "murmur2_random"},
          {"reconnect.backoff.ms", "100"},
          {"reconnect.backoff.max.ms", "1000"},
          {"queued.min.messages", "1000"},
          {"queued.max.messages.kbytes", "16384"},
          {"fetch.max.bytes", "16777216"},
          {"fetch.error.backoff.ms", "100"}};
}

Settings connection(const Options& options) {
  Settings settings = {
      {"bootstrap.servers", brokers_of(options)},
      {"socket.connection.setup.timeout.ms", text_of(options.connect_timeout)},
      {"allow.auto.create.topics", "false"},
      {"security.protocol", options.tls ? (options.sasl ? "sasl_ssl" : "ssl")
                                        : (options.sasl ? "sasl_plaintext" : "plaintext")}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) settings.emplace_back(name, value);
  };
  if (options.tls) {
    add("ssl.ca.location", options.tls->ca_file);
    add("ssl.certificate.location", options.tls->certificate_file);
    add("ssl.key.location", options.tls->key_file);
  }
  if (options.sasl) {
    add("sasl.mechanisms", options.sasl->mechanism);
    add("sasl.username", options.sasl->user);
    add("sasl.password", options.sasl->password);
  }
  return settings;
}

Settings producing(const Options& options) {
  const std::size_t message_bytes_max = options.body_bytes_max + kEnvelopeBytesMax;
  return {{"client.id", "waybill"},
          {"enable.idempotence", "true"},
          {"acks", "all"},
          {"message.timeout.ms", text_of(options.publish_timeout)},
          {"request.timeout.ms", text_of(options.publish_timeout)},
          {"socket.timeout.ms", text_of(std::min(options.publish_timeout, Millis(300'000)))},
          // An unknown topic is told quickly, though not while it is being created.
          {"topic.metadata.propagation.max.ms", "1000"},
          {"message.max.bytes", std::to_string(message_bytes_max)},
          {"batch.size", std::to_string(std::min(message_bytes_max, kBatchBytesMax))},
          {"queue.buffering.max.messages", std::to_string(options.window_max)},
          {"queue.buffering.max.kbytes", std::to_string(options.in_flight_bytes_max >> 10)}};
}

Settings consuming(const Options& options, const SubscriberOptions& subscriber) {
  Settings settings = {{"client.id", subscriber.member.empty() ? "waybill" : subscriber.member},
                       {"group.id", subscriber.group},
                       {"enable.auto.commit", "false"},
                       {"enable.auto.offset.store", "false"},
                       {"auto.offset.reset", "earliest"},
                       {"enable.partition.eof", "false"},
                       {"partition.assignment.strategy", "cooperative-sticky"},
                       {"session.timeout.ms", text_of(options.session_timeout)},
                       {"heartbeat.interval.ms", text_of(options.session_timeout / 4)},
                       {"max.poll.interval.ms", text_of(options.handling_max)},
                       {"socket.timeout.ms", "10000"},
                       // How soon new partitions, or a topic that did not exist, are seen.
                       {"topic.metadata.refresh.interval.ms", "5000"}};
  if (!subscriber.instance.empty()) settings.emplace_back("group.instance.id", subscriber.instance);
  return settings;
}

// The value stays out of the text: it may be a secret.
Status set(rd_kafka_conf_t* config, const std::string& name, const std::string& value) {
  std::array<char, kErrorBytes> detail{};
  switch (rd_kafka_conf_set(config, name.c_str(), value.c_str(), detail.data(), detail.size())) {
    case RD_KAFKA_CONF_OK:
      return {};
    case RD_KAFKA_CONF_UNKNOWN:
      return refuse("librdkafka knows no property '" + name + "'", "see its CONFIGURATION.md");
    default:
      return refuse("librdkafka refuses the value of '" + name + "'", "see its CONFIGURATION.md");
  }
}

// True for what waybill sets, and for what it must not be told otherwise.
bool is_refused(const Settings& fixed, const std::string& name) {
  return std::find(std::begin(kRefused), std::end(kRefused), name) != std::end(kRefused) ||
         std::any_of(fixed.begin(), fixed.end(),
                     [&](const auto& setting) { return setting.first == name; });
}

Result<Client> make(rd_kafka_type_t type, const Options& options, const Settings& role,
                    int events) {
  Settings fixed = connection(options);
  fixed.insert(fixed.end(), role.begin(), role.end());
  const Settings replaceable = defaults();
  Config config(rd_kafka_conf_new());
  for (const auto& [name, value] : replaceable) {
    if (auto done = set(config.get(), name, value); !done) return done.error();
  }
  for (const auto& [name, value] : options.extra) {
    if (is_refused(fixed, name)) {
      return refuse("'" + name + "' is not yours to set", "leave it out of `extra`");
    }
    if (auto done = set(config.get(), name, value); !done) return done.error();
  }
  for (const auto& [name, value] : fixed) {
    if (auto done = set(config.get(), name, value); !done) return done.error();
  }
  rd_kafka_conf_set_log_cb(config.get(), nullptr);
  rd_kafka_conf_set_events(config.get(), events | RD_KAFKA_EVENT_ERROR);
  std::array<char, kErrorBytes> detail{};
  Client client(rd_kafka_new(type, config.get(), detail.data(), detail.size()));
  if (!client) {
    return refuse(std::string("cannot make a Kafka client: ") + detail.data(),
                  "check the options, and that their files can be read");
  }
  static_cast<void>(config.release());
  return client;
}

template <class T>
bool is_in(T value, T least, T most) {
  return value >= least && value <= most;
}

}  // namespace

std::string brokers_of(const Options& options) {
  std::string_view brokers = options.brokers;
  if (brokers.starts_with(kUrlPrefix)) brokers.remove_prefix(kUrlPrefix.size());
  while (brokers.ends_with('/')) brokers.remove_suffix(1);
  return std::string(brokers);
}

bool is_topic_name(std::string_view name) noexcept {
  const auto is_legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kTopicBytesMax && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_legal);
}

Status check(const Options& options) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  const auto within = [](Millis time, Millis least, Millis most) {
    return is_in(time, least, most);
  };
  if (brokers_of(options).empty()) {
    return refuse("no brokers are given", "brokers = \"kafka://host:9092\"");
  }
  if (options.source.empty()) return refuse("source is empty", "name the system that publishes");
  if (options.tls && options.tls->certificate_file.empty() != options.tls->key_file.empty()) {
    return refuse("one of certificate_file and key_file is missing", "give both or neither");
  }
  if (options.sasl && (options.sasl->user.empty() || options.sasl->mechanism.empty())) {
    return refuse("SASL needs a mechanism and a user", "give both, with the password");
  }
  if (!within(options.connect_timeout, seconds(1), minutes(5)) ||
      !within(options.admin_timeout, seconds(1), minutes(5)) ||
      !within(options.publish_timeout, seconds(1), minutes(15)) ||
      !within(options.session_timeout, seconds(1), minutes(30)) ||
      !within(options.handling_max, options.session_timeout, hours(24)) ||
      !within(options.close_timeout, Millis(0), seconds(60))) {
    return refuse("a time-out is out of its range", "see waybill/brokers/kafka.hpp");
  }
  const std::size_t gibibyte = std::size_t{1} << 30;
  if (!is_in<std::uint32_t>(options.window_max, 1, 100'000) ||
      !is_in<std::uint32_t>(options.unsettled_max, 1, 100'000) ||
      !is_in<std::size_t>(options.unsettled_bytes_max, 1, gibibyte) ||
      options.body_bytes_max > std::size_t{64} << 20 ||
      !is_in(options.in_flight_bytes_max, options.body_bytes_max + kEnvelopeBytesMax, gibibyte)) {
    return refuse("a limit is out of its range", "see waybill/brokers/kafka.hpp");
  }
  return {};
}

Result<Client> make_producer(const Options& options) {
  return make(RD_KAFKA_PRODUCER, options, producing(options), RD_KAFKA_EVENT_DR);
}

Result<Client> make_consumer(const Options& options, const SubscriberOptions& subscriber) {
  return make(RD_KAFKA_CONSUMER, options, consuming(options, subscriber),
              RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT);
}

Event next_event(rd_kafka_queue_t* queue, Steady until) {
  const auto left = std::chrono::ceil<Millis>(until - std::chrono::steady_clock::now()).count();
  const auto wait = std::clamp<Millis::rep>(left, 0, std::numeric_limits<int>::max());
  return Event(rd_kafka_queue_poll(queue, static_cast<int>(wait)));
}

}  // namespace waybill::kafka
