// The embedded broker: a durable log in one SQLite file, shared by several processes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
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
  std::uint32_t window_max = 1000;    // messages in flight; 1…100000
  std::size_t body_bytes_max = std::size_t{1} << 20;  // larger is `rejected`; at most 256 MiB
  Millis poll_interval{5};               // how often an idle subscriber looks; 1 ms or more
  Millis busy_timeout{5000};             // the longest wait for other writers of the file
  Millis lease_ttl{2000};                // of a partition, see SubscriberOptions; 40 ms or more
  std::uint32_t unsettled_max = 10'000;  // deliveries that wait for settle(); then no new ones come
  Millis clean_up_interval{60'000};  // how often a publisher looks for messages over the retention
};

// A destination is a topic: 1 to 255 bytes. Order is kept per partition; the partition follows from
// the key, else from the message id.
// **Guarantee**: `acked` means synced to the disk. The log keeps copies: it does not deduplicate.
// Retention goes by age alone (the host's clock), in small batches between the publisher's work: a
// group that is away for longer loses messages. Deleted space is used again, not given back.
// **Errors** of a message: `rejected` when the body or the id is too large; `unreachable` when the
// file was busy, full or broken, and surely not written; `unknown` when the sync at COMMIT failed;
// `destination_down` for an unknown topic or a file that is read-only, foreign or corrupt.
// A file that was deleted or replaced meanwhile is opened anew.
// **Thread safety**: as Publisher.
[[nodiscard]] Result<std::unique_ptr<Publisher>> open_publisher(const Options& options);

struct SubscriberOptions {
  std::string topic;
  std::string group;   // each group gets every message; its members share the partitions
  std::string member;  // for people; need not be unique
};

// A member of a group. Partitions are leased: the members share them evenly (with more members than
// partitions some wait). A member whose process died loses its own within some 50 ms, one that
// stands still after ttl + ttl/4 on the others' steady clock; its unsettled messages are delivered
// again; receive() and settle() keep a lease alive. A partition that moves to a new member is first
// settled, for at most a ttl. Destroying the subscriber frees its partitions at once.
// **Guarantee**: at least once; in order inside a partition, where nothing new is delivered before
// the messages that were settled with `again`. A new group starts at the oldest message kept.
// settle() writes once for all its tokens; when it fails, the next settle() or receive() writes
// what is missing.
// **Errors**: `fix_call` for a foreign file or an unknown topic without create_topics; a busy file
// is waited for.
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
  std::int64_t lag = 0;                       // messages behind the group's cursors
  std::optional<DatabaseTime> oldest_unread;  // when the first of them was published
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
