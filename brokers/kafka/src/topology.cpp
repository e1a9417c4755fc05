#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "client.hpp"
#include "failure.hpp"

namespace waybill::kafka {
namespace {

constexpr std::size_t kErrorBytes = 512;
constexpr Millis kLookAgain{200};
// When nothing but errors came for so long, each address of a host was tried.
constexpr Millis kErrorsEnough{2000};
constexpr Millis kFirstLook{500};

using NewTopic = Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using AdminOptions = Owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using ConfigResource = Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;

inline void destroy_metadata(const rd_kafka_metadata_t* metadata) noexcept {
  rd_kafka_metadata_destroy(metadata);
}
using Metadata = Owned<const rd_kafka_metadata_t, destroy_metadata>;

Steady now() {
  return std::chrono::steady_clock::now();
}

int left_until(Steady until) {
  const auto left = std::chrono::ceil<Millis>(until - now()).count();
  return static_cast<int>(std::max<Millis::rep>(left, 1));
}

Error fix(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

// One look at the cluster through a client of its own.
class Admin {
 public:
  Admin(const Options& options, Client client)
      : options_(options),
        client_(std::move(client)),
        answers_(rd_kafka_queue_new(client_.get())),
        begin_(now()),
        until_(begin_ + options.admin_timeout) {}

  Status create(const Topology& topology) {
    // Where nobody answers, this tells sooner.
    if (auto reached = look(topology.topic); !reached) return reached.error();
    std::array<char, kErrorBytes> detail{};
    const int partitions = topology.partitions == 0 ? -1 : static_cast<int>(topology.partitions);
    const int replication = topology.replication == 0 ? -1 : static_cast<int>(topology.replication);
    const NewTopic topic(rd_kafka_NewTopic_new(topology.topic.c_str(), partitions, replication,
                                               detail.data(), detail.size()));
    if (!topic) return fix("topic '" + topology.topic + "': " + detail.data(), "");
    rd_kafka_NewTopic_t* topics[] = {topic.get()};
    const AdminOptions how = admin_options(RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(client_.get(), topics, 1, how.get(), answers_.get());
    const Event event = next_event(answers_.get(), until_);
    if (!event) return unreachable();
    const auto* const result = rd_kafka_event_CreateTopics_result(event.get());
    if (result == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return unreachable();
    }
    std::size_t size = 0;
    const auto* const* const created = rd_kafka_CreateTopics_result_topics(result, &size);
    if (size != 1) return unreachable();
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(created[0]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      return {};
    }
    const char* const text = rd_kafka_topic_result_error_string(created[0]);
    return fix("cannot create topic '" + topology.topic +
                   "': " + (text == nullptr ? rd_kafka_err2str(error) : text),
               "check partitions, replication and the right to create topics");
  }

  Status check_shape(const Topology& topology) {
    const auto metadata = look(topology.topic);
    if (!metadata) return metadata.error();
    return check(topology, (*metadata)->topics[0]);
  }

  Status check(const Topology& topology) {
    if (auto described = check_shape(topology); !described) return described;
    return check_record_limit(topology.topic);
  }

  // As check(), but waits for a topic that was just made.
  Status check_soon(const Topology& topology) {
    unknown_is_ = Remedy::retry;
    for (;;) {
      Status checked = check(topology);
      if (checked || checked.error().remedy != Remedy::retry || now() >= until_) return checked;
      static_cast<void>(next_event(answers_.get(), std::min(until_, now() + kLookAgain)));
    }
  }

  // What the topic tells of its records' size; nothing where configurations may not be read.
  Result<std::optional<std::size_t>> record_limit(const std::string& topic) {
    const ConfigResource resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    rd_kafka_ConfigResource_t* resources[] = {resource.get()};
    const AdminOptions how = admin_options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(client_.get(), resources, 1, how.get(), answers_.get());
    const Event event = next_event(answers_.get(), until_);
    if (!event) return unreachable();
    const auto* const result = rd_kafka_event_DescribeConfigs_result(event.get());
    std::optional<std::size_t> limit;
    if (result == nullptr) return limit;
    std::size_t size = 0;
    const auto* const* const found = rd_kafka_DescribeConfigs_result_resources(result, &size);
    if (size != 1) return limit;
    const auto* const* const entries = rd_kafka_ConfigResource_configs(found[0], &size);
    for (std::size_t i = 0; i < size; ++i) {
      const std::string_view name = rd_kafka_ConfigEntry_name(entries[i]);
      const char* const value = rd_kafka_ConfigEntry_value(entries[i]);
      if (name != "max.message.bytes" || value == nullptr) continue;
      std::from_chars(value, value + std::strlen(value), limit.emplace());
    }
    return limit;
  }

 private:
  Status check(const Topology& wanted, const rd_kafka_metadata_topic& found) const {
    const std::string name = "topic '" + wanted.topic + "'";
    if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      return Error{unknown_is_, name + " does not exist",
                   "create it, as waybill broker apply does"};
    }
    if (is_destination_failure(found.err)) {
      return fix(name + ": " + rd_kafka_err2str(found.err), "grant access to it");
    }
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Error{Remedy::retry, name + ": " + rd_kafka_err2str(found.err), "try again"};
    }
    if (wanted.partitions != 0 && found.partition_cnt != static_cast<int>(wanted.partitions)) {
      return fix(name + " has " + std::to_string(found.partition_cnt) + " partitions, not " +
                     std::to_string(wanted.partitions),
                 "adding partitions moves keys: drain the topic first, or expect what it has");
    }
    for (int i = 0; i < found.partition_cnt; ++i) {
      const rd_kafka_metadata_partition& partition = found.partitions[i];
      if (partition.leader < 0) {
        return Error{Remedy::retry,
                     name + ": partition " + std::to_string(partition.id) + " has no leader",
                     "wait for its brokers, or start them"};
      }
      if (wanted.replication != 0 && partition.replica_cnt < static_cast<int>(wanted.replication)) {
        return fix(name + " keeps " + std::to_string(partition.replica_cnt) + " copies, not " +
                       std::to_string(wanted.replication),
                   "reassign it with more replicas, or expect what it has");
      }
    }
    return {};
  }

  Status check_record_limit(const std::string& topic) {
    const auto limit = record_limit(topic);
    if (!limit) return limit.error();
    if (!*limit || **limit >= options_.body_bytes_max + kEnvelopeBytesMax) return {};
    return fix("topic '" + topic + "' takes records of " + std::to_string(**limit) +
                   " bytes, body_bytes_max is " + std::to_string(options_.body_bytes_max),
               "lower body_bytes_max to 64 KiB less, or raise the topic's max.message.bytes");
  }

  AdminOptions admin_options(rd_kafka_admin_op_t operation) {
    AdminOptions how(rd_kafka_AdminOptions_new(client_.get(), operation));
    std::array<char, kErrorBytes> detail{};
    rd_kafka_AdminOptions_set_request_timeout(how.get(), left_until(until_), detail.data(),
                                              detail.size());
    return how;
  }

  Result<Metadata> look(const std::string& name) {
    const Topic topic(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
    if (!topic) return unreachable();
    const rd_kafka_metadata_t* found = nullptr;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    do {
      error = rd_kafka_metadata(client_.get(), 0, topic.get(), &found, left_until(next_look()));
    } while (error != RD_KAFKA_RESP_ERR_NO_ERROR && !is_in_vain());
    Metadata metadata(found);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) return unreachable();
    return metadata;
  }

  // Ever longer, so that a slow broker is heard as well.
  [[nodiscard]] Steady next_look() const {
    return std::min(until_, now() + std::max<Steady::duration>(kFirstLook, now() - begin_));
  }

  // The credentials were refused, nothing but errors came for a while, or time is up.
  bool is_in_vain() {
    const Queue main(rd_kafka_queue_get_main(client_.get()));
    while (const Event event = next_event(main.get(), Steady())) {
      const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
      if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR ||
          error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || is_refused_) {
        continue;
      }
      trouble_ = rd_kafka_event_error_string(event.get());
      is_refused_ = is_destination_failure(error);
    }
    return is_refused_ || now() >= until_ || (!trouble_.empty() && now() >= begin_ + kErrorsEnough);
  }

  // With what the connection says, if it said something.
  Error unreachable() {
    static_cast<void>(is_in_vain());
    return {is_refused_ ? Remedy::fix_call : Remedy::retry,
            "no broker of '" + brokers_of(options_) + "' answers" +
                (trouble_.empty() ? "" : ": " + trouble_),
            "check host, port, TLS and credentials"};
  }

  const Options& options_;
  Client client_;
  Queue answers_;
  const Steady begin_;
  const Steady until_;
  std::string trouble_;  // what a connection said last
  bool is_refused_ = false;
  Remedy unknown_is_ = Remedy::fix_call;
};

Result<Client> connect(const Options& options, const Topology& topology) {
  if (auto valid = check(options); !valid) return valid.error();
  if (!is_topic_name(topology.topic)) {
    return fix("no topic can be named '" + topology.topic + "'",
               "use 1 to 249 of A-Z a-z 0-9 . _ -");
  }
  return make_producer(options);
}

}  // namespace

Status check_topology(const Options& options, const Topology& topology) {
  auto client = connect(options, topology);
  if (!client) return client.error();
  return Admin(options, std::move(*client)).check(topology);
}

Result<std::size_t> body_bytes_max(const Options& options, const std::string& topic) {
  const Topology wanted{.topic = topic};
  auto client = connect(options, wanted);
  if (!client) return client.error();
  Admin admin(options, std::move(*client));
  if (auto there = admin.check_shape(wanted); !there) return there.error();
  const auto limit = admin.record_limit(topic);
  if (!limit) return limit.error();
  if (!*limit) return options.body_bytes_max;
  return std::min(options.body_bytes_max, **limit - std::min(**limit, kEnvelopeBytesMax));
}

Status apply_topology(const Options& options, const Topology& topology) {
  auto client = connect(options, topology);
  if (!client) return client.error();
  Admin admin(options, std::move(*client));
  if (auto created = admin.create(topology); !created) return created;
  return admin.check_soon(topology);
}

}  // namespace waybill::kafka
