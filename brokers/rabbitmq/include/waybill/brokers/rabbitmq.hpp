// The RabbitMQ broker: a publisher and a subscriber for exchanges and queues of a RabbitMQ server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "waybill/brokers/cloud_events.hpp"
#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::rabbitmq {

// How an amqps:// server is known, and how this client is.
struct Tls {
  std::string ca_file;           // PEM of the trusted CAs; empty = the system's
  std::string certificate_file;  // PEM, with key_file: for servers that ask for one
  std::string key_file;
  bool verify_peer = true;  // the certificate's chain and time; false only to try things out
  bool verify_name = true;  // that the certificate is the URL's host's
};

struct Options {
  // "amqp://user:password@host:port/vhost", or amqps://. Parts are percent-decoded; what is left
  // out is guest, guest, 5672 (amqps: 5671) and the virtual host "/".
  std::string url;
  std::string source = "waybill";  // CloudEvents source of what is published: a URI reference
  WireFormat format = WireFormat::cloud_events;  // of what is published
  Tls tls;                                       // used with amqps:// only
  Millis connect_timeout{5000};  // from the first packet until the server lets us in; 1 s…5 min
  Millis admin_timeout{15'000};  // of check_topology and apply_topology; 1 s…5 min

  // Publishers
  std::uint32_t window_max = 1000;  // messages in flight; 1…100000
  // Larger bodies are `rejected`; at most 128 MiB. The server's own max_message_size is learnt when
  // it refuses one.
  std::size_t body_bytes_max = std::size_t{16} << 20;
  Millis publish_timeout{10'000};  // from submit() to the outcome; 1 s…15 min
  // A silent server is given up after twice this; 1 s…5 min. Pumped by poll().
  Millis heartbeat{10'000};

  // Subscribers
  // A member that calls neither receive() nor settle() for so long loses its messages to others;
  // keep it below the server's consumer_timeout. 10 s…30 min.
  Millis handling_max{300'000};
  // What may wait for settle(): messages (the prefetch count) and, held here, their bytes.
  std::uint32_t unsettled_max = 1000;                       // 1…65535
  std::size_t unsettled_bytes_max = std::size_t{16} << 20;  // 1…1 GiB; exceeded by one message
  Millis close_timeout{3000};  // the longest that destroying a subscriber takes; 0…60 s
};

// A destination is a queue's name, or "exchange/routing key". "exchange/" takes the message type as
// routing key, so that a topic exchange can be bound by type. The first "/" divides; "/name" is the
// queue `name` whatever it contains.
// **Guarantee**: every message is persistent, mandatory and confirmed: `acked` means that all
// queues it was routed to have it (a quorum queue: on the disks of a majority). The publisher
// connects by itself, and again after each loss, waiting 50 ms to 1 s. Nothing is sent twice by
// itself.
// **Errors** of a message: `rejected` when it is too large or cannot be a message;
// `destination_down` for an exchange that is missing or refused, a message that no queue took,
// refused credentials or virtual host; `throttled` while the server is short of memory or disk, or
// refused it for a full queue; `unreachable` when it surely did not arrive, `unknown` when it may
// have. Opening needs no server; it fails for bad options or files.
// **Thread safety**: as Publisher. poll() blocks for longer than asked only to resolve the host's
// name.
[[nodiscard]] Result<std::unique_ptr<Publisher>> open_publisher(const Options& options);

struct SubscriberOptions {
  std::string
      queue;  // all that read one queue share its messages; each service has a queue of its own
  std::string member;  // for people: the beginning of the consumer tag
};

// A consumer of one queue.
// **Guarantee**: at least once; a message is acked when it was settled with `ack`. One settled with
// `again` is delivered again here, before anything new; when this member goes or loses its
// connection, the server gives all that is not acked to others, in the old order. Alone, a member
// therefore sees the queue's order. Headers "cloudEvents:…" are read as well as "cloudEvents_…". A
// message without a CloudEvents id gets the id "rabbitmq:queue:…", the same each time, which is no
// MessageId: a consumer parks it.
// **Errors**: of receive(): `fix_call` for a missing queue, denied access or refused credentials,
// told once in a while as long as it lasts; a broken connection is retried, and told after
// 3 s. settle() never fails.
// **Thread safety**: as Subscriber. receive() may be late as poll() of a publisher may.
[[nodiscard]] Result<std::unique_ptr<Subscriber>> open_subscriber(
    const Options& options, const SubscriberOptions& subscriber);

enum class QueueKind {
  quorum,   // replicated and always on disk: what waybill recommends
  classic,  // durable, on one node
};

struct Topology {
  std::string exchange;                 // empty: none, the queue is reached by its own name
  std::string exchange_type = "topic";  // or direct, fanout, headers
  std::string queue;                    // empty: none, other services bind theirs
  QueueKind queue_kind = QueueKind::quorum;
  bool single_active = false;  // one consumer at a time, the others stand by: order with a standby
  std::vector<std::string> bindings;  // routing keys (patterns) that lead from exchange to queue
};

// Looks whether exchange and queue are there, and whether the queue is durable and of its kind
// (where the user may configure it; else this is not looked at). Bindings cannot be seen by a
// client: a message that they lead nowhere is returned, which is `destination_down`.
// **Errors**: `retry` when the server does not answer, `fix_call` with what is missing or
// different.
// **Thread safety**: any thread; blocks for admin_timeout.
[[nodiscard]] Status check_topology(const Options& options, const Topology& topology);

// Creates what is missing, durable, and binds the queue. Never changes or deletes what is there.
// **Errors**, **Thread safety**: as check_topology.
[[nodiscard]] Status apply_topology(const Options& options, const Topology& topology);

}  // namespace waybill::rabbitmq
