// The Kafka broker: a publisher and a subscriber for topics of an Apache Kafka cluster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "waybill/brokers/cloud_events.hpp"
#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::kafka {

// Encrypted connections. The broker's name is always checked against its certificate.
struct Tls {
  std::string ca_file;           // PEM of the trusted CAs; empty = the system's
  std::string certificate_file;  // PEM, with key_file: for brokers that ask for one
  std::string key_file;
};

struct Sasl {
  std::string mechanism = "SCRAM-SHA-512";  // or PLAIN, SCRAM-SHA-256
  std::string user;
  std::string password;
};

struct Options {
  std::string brokers;  // "host:port,host:port", also behind "kafka://": whom to ask for the others
  std::string source = "waybill";  // CloudEvents source of what is published: a URI reference
  WireFormat format = WireFormat::cloud_events;  // of what is published
  std::optional<Tls> tls;                        // none: not encrypted
  std::optional<Sasl> sasl;                      // none: no authentication, or by certificate
  // More librdkafka properties, such as "linger.ms" or "compression.type". What the guarantees
  // below rest on (acks, idempotence, commits, time-outs …) is refused.
  std::map<std::string, std::string> extra;
  Millis connect_timeout{5000};  // of one connection; 1 s…5 min
  Millis admin_timeout{15'000};  // of check_topology and apply_topology; 1 s…5 min

  // Publishers
  std::uint32_t window_max = 1000;  // messages in flight; 1…100000
  // Larger bodies are `rejected`; at most 64 MiB. The default fits a topic's default limit.
  std::size_t body_bytes_max = std::size_t{960} << 10;
  // Bound of the copies in flight; at least body_bytes_max + 64 KiB, at most 1 GiB.
  std::size_t in_flight_bytes_max = std::size_t{64} << 20;
  Millis publish_timeout{10'000};  // from submit() to the outcome; 1 s…15 min

  // Subscribers
  Millis session_timeout{6000};  // a silent member loses its partitions; the broker's own limits
                                 // hold (6 s or more by default); 1 s…30 min
  Millis handling_max{300'000};  // a member that does not call receive() for so long loses its
                                 // partitions; session_timeout…24 h
  // What may wait for settle() in one partition; then it is paused.
  std::uint32_t unsettled_max = 1000;                       // messages; 1…100000
  std::size_t unsettled_bytes_max = std::size_t{16} << 20;  // 1…1 GiB; exceeded by one message
  Millis close_timeout{3000};  // the longest that destroying a subscriber takes; 0…60 s
};

// A destination is a topic; order is kept per partition, which follows from the key (as in Java's
// clients: murmur2), else is spread.
// **Guarantee**: idempotent producer with acks=all: `acked` means that the replicas in sync have it
// (on how many disks says the topic: min.insync.replicas, flush). Retries inside never reorder or
// repeat a window; after a message of it failed, later ones of its key may stand before its repeat.
// The outcome follows the delivery report, at the latest publish_timeout after submit(). A batch
// refused because of one message is tried again one by one, each with a publish_timeout of its own.
// After a fatal error of the client, a new one is made when nothing is in flight any more.
// **Errors** of a message: `rejected` when it is too large or invalid by itself; `destination_down`
// for an unknown topic, denied access or refused credentials; `unreachable` when it surely did not
// arrive, `unknown` when it may have. Opening needs no broker; it fails for bad options or files.
// **Thread safety**: as Publisher.
[[nodiscard]] Result<std::unique_ptr<Publisher>> open_publisher(const Options& options);

struct SubscriberOptions {
  std::string topic;
  std::string group;   // each group gets every message; its members share the partitions
  std::string member;  // for people: the client id; need not be unique
  // A name that stays over restarts and is unique in the group (a "static member", KIP-345): who
  // comes back under it within session_timeout, also after a crash, has its partitions back at
  // once. The price: one that leaves for good hands them over after session_timeout only. Empty:
  // none, which is the other way round.
  std::string instance = {};
};

// A member of a consumer group. Partitions are shared by cooperative rebalancing: a newcomer takes
// some, the others stay where they are. A partition that leaves is committed first.
// **Guarantee**: at least once; in order inside a partition, where nothing new is delivered before
// the messages that were settled with `again`. Offsets are committed up to the first message that
// is not acked, soon after settle() and when the subscriber is destroyed. A new group starts at the
// oldest message kept. A message without a CloudEvents id gets the id "kafka:topic:partition:
// offset", which is no MessageId: a consumer parks it.
// **Errors**: of receive(): `fix_call` for an unknown topic, denied access or refused credentials,
// told once in a while as long as it lasts, and for an `instance` that another process took; a
// broken connection is retried, and told after 3 s. settle() never fails.
// A rebalance may hold receive() up for 2 s beyond its time, while it commits.
// **Thread safety**: as Subscriber.
[[nodiscard]] Result<std::unique_ptr<Subscriber>> open_subscriber(
    const Options& options, const SubscriberOptions& subscriber);

struct Topology {
  std::string topic;
  std::uint32_t partitions = 0;   // 0 = the broker's default, or any
  std::uint32_t replication = 0;  // copies of each; 0 = the broker's default, or any
};

// Looks whether the topic is there as described, with a leader for each partition, and takes what
// the options allow. **Errors**: `retry` when no broker answers or a leader is missing, `fix_call`
// with what is missing. **Thread safety**: any thread; blocks for admin_timeout.
[[nodiscard]] Status check_topology(const Options& options, const Topology& topology);

// The largest body that the topic takes, as far as it may be asked, and these options do: what an
// outbox should refuse before its commit (OutboxOptions::content_bytes_max).
// **Errors**, **Thread safety**: as check_topology.
[[nodiscard]] Result<std::size_t> body_bytes_max(const Options& options, const std::string& topic);

// Creates the topic unless it exists, then checks it. Never changes a topic.
// **Errors**, **Thread safety**: as check_topology.
[[nodiscard]] Status apply_topology(const Options& options, const Topology& topology);

}  // namespace waybill::kafka
