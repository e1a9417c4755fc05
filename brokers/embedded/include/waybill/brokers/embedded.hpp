// The embedded broker: a durable log in one SQLite file, shared by several processes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::embedded {

struct Options {
  std::string path;                   // the log's file, created by the first who opens it
  std::uint32_t partitions = 4;       // of a topic that this process creates; 1…64
  bool create_topics = true;          // false: publishing to an unknown topic is destination_down
  std::chrono::hours retention{168};  // older messages are deleted, read or not
  std::uint32_t window_max = 1000;    // messages in flight
  std::size_t body_bytes_max = std::size_t{1} << 20;
  Millis poll_interval{5};    // how often an idle subscriber looks
  Millis busy_timeout{5000};  // the longest wait for other writers of the file
  Millis lease_ttl{2000};     // of a partition, see SubscriberOptions
};

// A destination is a topic. Order is kept per partition; the partition follows from the key, else
// from the message id.
// **Guarantee**: `acked` means synced to the disk. The log keeps copies: it does not deduplicate.
// **Errors** of a message: rejected when the body is too large; unreachable when the file was busy,
// full or broken, and surely not written; unknown when the sync at COMMIT failed; destination_down
// for an unknown topic or a foreign file.
// **Thread safety**: as Publisher.
[[nodiscard]] Result<std::unique_ptr<Publisher>> open_publisher(const Options& options);

struct SubscriberOptions {
  std::string topic;
  std::string group;   // each group gets every message; its members share the partitions
  std::string member;  // for people; need not be unique
};

// A member of a group. Partitions are leased: the members share them evenly; one that stands still
// for ttl + ttl/4 on the others' steady clock loses its own, and its unsettled messages are
// delivered again.
// **Guarantee**: at least once; in order inside a partition, where nothing is delivered behind a
// message that was settled with `again`. A new group starts at the oldest message kept.
// **Thread safety**: as Subscriber.
[[nodiscard]] Result<std::unique_ptr<Subscriber>> open_subscriber(
    const Options& options, const SubscriberOptions& subscriber);

// A message in the log, for people.
struct StoredMessage {
  std::int64_t position = 0;  // grows in the order of publishing, over all topics
  std::uint32_t partition = 0;
  Delivery message;
  DatabaseTime published_at;
};

struct GroupStatus {
  std::string group;
  std::int64_t lag = 0;  // messages behind the group's cursors
};

struct TopicStatus {
  std::string topic;
  std::uint32_t partitions = 0;
  std::int64_t messages = 0;
  std::vector<GroupStatus> groups;
};

// Reads without taking part: no cursor moves. rows_max is 1…1000.
[[nodiscard]] Result<std::vector<StoredMessage>> peek(const Options& options,
                                                      std::string_view topic,
                                                      std::int64_t after_position,
                                                      std::uint32_t rows_max);
[[nodiscard]] Result<std::vector<TopicStatus>> topics(const Options& options);

}  // namespace waybill::embedded
