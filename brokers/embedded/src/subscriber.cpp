#include <unistd.h>

#include <algorithm>
#include <random>
#include <set>
#include <unordered_map>

#include "log_file.hpp"
#include "membership.hpp"
#include "reading.hpp"
#include "wake_flag.hpp"
#include "waybill/test_points.hpp"

namespace waybill::embedded {
namespace {

constexpr std::size_t kNameBytesMax = 255;

std::string unique_name(const std::string& member) {
  std::random_device random;
  return member + "-" + std::to_string(getpid()) + "-" + std::to_string(random());
}

class EmbeddedSubscriber final : public Subscriber {
 public:
  EmbeddedSubscriber(const Options& options, const SubscriberOptions& subscriber)
      : options_(options), subscriber_(subscriber) {
    open();
  }

  ~EmbeddedSubscriber() override {
    if (!membership_) return;
    static_cast<void>(guarded([&] { save_cursors(); }));
    static_cast<void>(guarded([&] { membership_->leave(owned_); }));
  }

  Status receive(Steady until, std::size_t at_most, std::vector<Delivery>& out) override {
    const std::size_t before = out.size();
    for (;;) {
      Status worked = guarded([&] { collect(before + at_most, out); });
      if (out.size() > before) return {};
      if (!worked && worked.error().remedy == Remedy::fix_call) return worked;
      const Steady now = std::chrono::steady_clock::now();
      if (now >= until) return {};
      // A busy file is tried again like an empty one.
      if (flag_.wait_until(std::min(until, now + options_.poll_interval))) return {};
    }
  }

  Status settle(std::span<const std::uint64_t> tokens, Settle how) override {
    for (const std::uint64_t token : tokens) {
      const auto place = delivered_.find(token);
      if (place == delivered_.end()) continue;  // of a partition that was lost
      const auto [partition, position] = place->second;
      delivered_.erase(place);
      const auto reading = readings_.find(partition);
      if (reading == readings_.end()) continue;
      if (how == Settle::ack) {
        reading->second.ack(position);
        dirty_.insert(partition);
      } else {
        reading->second.again.insert(position);
      }
    }
    more_ = true;  // what was held back by unsettled_max or behind an `again` may come now
    Status saved = guarded([&] { save_cursors(); });
    // A handler that is slow over a large batch keeps its leases by settling along the way.
    static_cast<void>(guarded([&] { keep_membership(); }));
    return saved;
  }

  void wake() noexcept override { flag_.wake(); }

 private:
  void open() {
    owned_.clear();
    readings_.clear();
    delivered_.clear();
    dirty_.clear();
    membership_.reset();
    file_ = std::make_unique<LogFile>(options_, sqlite::OpenMode::create);
    topic_ = ensure_topic(subscriber_.topic);
    membership_ = std::make_unique<Membership>(*file_, topic_, subscriber_.group,
                                               unique_name(subscriber_.member), options_.lease_ttl);
    seen_version_ = -1;
    more_ = true;
  }

  Topic ensure_topic(const std::string& name) {
    if (const auto topic = file_->find_topic(name)) return *topic;
    if (!options_.create_topics) {
      throw Failure{{Remedy::fix_call, "no topic '" + name + "' in " + options_.path,
                     "publish to it first, or set create_topics"}};
    }
    return sqlite::in_transaction(file_->database(),
                                  [&] { return file_->create_topic(name, options_.partitions); });
  }

  // Appends deliveries until `out` has `size_max`.
  void collect(std::size_t size_max, std::vector<Delivery>& out) {
    if (!membership_) open();  // an earlier attempt failed
    keep_membership();
    save_cursors();
    const std::int64_t version = file_->data_version();
    if (version == seen_version_ && !more_) return;
    seen_version_ = version;
    more_ = false;
    // Begins behind the partition that was read last, so that a long one starves no other.
    auto next = readings_.upper_bound(last_read_);
    for (std::size_t i = 0; i < readings_.size(); ++i, ++next) {
      if (next == readings_.end()) next = readings_.begin();
      if (out.size() >= size_max) {
        more_ = true;
        return;
      }
      last_read_ = next->first;
      if (!next->second.again.empty()) {
        read_again(next->first, next->second, size_max, out);
      } else if (!membership_->is_leaving(next->first)) {
        read_on(next->first, next->second, size_max, out);
      }
    }
  }

  void keep_membership() {
    const Steady now = std::chrono::steady_clock::now();
    if (!membership_ || !membership_->is_due(now)) return;
    if (file_->is_replaced()) open();
    membership_->maintain(now, owned_, [&](std::uint32_t partition) {
      const auto reading = readings_.find(partition);
      return reading != readings_.end() && reading->second.is_busy();
    });
    adopt();
    more_ = true;  // a partition that was about to leave may stay after all
  }

  // Brings the readings in line with what is owned; tokens of lost partitions are forgotten.
  void adopt() {
    std::erase_if(readings_, [&](const auto& entry) {
      const auto owned = owned_.find(entry.first);
      return owned == owned_.end() || owned->second.fence != entry.second.fence;
    });
    std::erase_if(delivered_,
                  [&](const auto& entry) { return !readings_.contains(entry.second.first); });
    std::erase_if(dirty_, [&](std::uint32_t partition) { return !readings_.contains(partition); });
    for (const auto& [partition, ownership] : owned_) {
      if (readings_.contains(partition)) continue;
      readings_.emplace(partition, Reading(ownership.fence, ownership.cursor));
      more_ = true;
    }
  }

  [[nodiscard]] std::size_t room(std::size_t size_max, std::size_t size) const {
    std::size_t unsettled = 0;
    for (const auto& [partition, reading] : readings_) unsettled += reading.open.size();
    const std::size_t allowed =
        options_.unsettled_max > unsettled ? options_.unsettled_max - unsettled : 0;
    return std::min(size_max - size, allowed);
  }

  void read_on(std::uint32_t partition, Reading& reading, std::size_t size_max,
               std::vector<Delivery>& out) {
    const std::size_t rows_max = room(size_max, out.size());
    if (rows_max == 0) return;  // settle() makes room
    Query query = file_->query(
        "SELECT position, message_id, message_type, key, body, traceparent, epoch, sent_at"
        " FROM log WHERE topic = ?1 AND partition = ?2 AND position > ?3 ORDER BY position"
        " LIMIT ?4");
    query.bind(topic_.id).bind(std::int64_t{partition}).bind(reading.read_to);
    query.bind(static_cast<std::int64_t>(rows_max));
    std::size_t rows = 0;
    for (; query.step(); ++rows) {
      deliver(partition, query, out);
      reading.read_to = query.number(0);
      reading.open.emplace(reading.read_to, false);
    }
    more_ = more_ || rows == rows_max;
  }

  void read_again(std::uint32_t partition, Reading& reading, std::size_t size_max,
                  std::vector<Delivery>& out) {
    more_ = true;
    while (!reading.again.empty() && out.size() < size_max) {
      const std::int64_t position = *reading.again.begin();
      Query query = file_->query(
          "SELECT position, message_id, message_type, key, body, traceparent, epoch, sent_at"
          " FROM log WHERE position = ?1");
      if (query.bind(position).step()) {
        deliver(partition, query, out);
      } else {
        // Retention took it.
        reading.ack(position);
        dirty_.insert(partition);
      }
      reading.again.erase(position);
    }
  }

  void deliver(std::uint32_t partition, const Query& row, std::vector<Delivery>& out) {
    Delivery delivery;
    delivery.token = next_token_++;
    delivery.message_id = row.text(1);
    delivery.message_type = row.text(2);
    delivery.key = row.text(3);
    delivery.body = row.text(4);
    delivery.traceparent = row.text(5);
    delivery.epoch = static_cast<std::uint32_t>(row.number(6));
    delivery.sent_at = from_micros(row.number(7));
    delivered_.emplace(delivery.token, std::pair{partition, row.number(0)});
    out.push_back(std::move(delivery));
  }

  // One transaction for all partitions. When it fails they stay dirty for the next time.
  void save_cursors() {
    std::map<std::uint32_t, std::int64_t> moves;
    for (const std::uint32_t partition : dirty_) {
      const Reading& reading = readings_.at(partition);
      const std::int64_t cursor = reading.acked_to();
      if (cursor != reading.settled) moves.emplace(partition, cursor);
    }
    std::vector<std::uint32_t> lost;
    if (!moves.empty()) {
      sqlite::in_transaction(file_->database(), [&] {
        WAYBILL_TEST_POINT("queue.before_settle");
        for (const auto& [partition, cursor] : moves) {
          if (!move_cursor(partition, cursor)) lost.push_back(partition);
        }
      });
    }
    for (const auto& [partition, cursor] : moves) {
      Reading& reading = readings_.at(partition);
      reading.settle_to(cursor);
      // Somebody waits for it.
      if (membership_->is_leaving(partition) && !reading.is_busy()) membership_->hurry();
    }
    dirty_.clear();
    for (const std::uint32_t partition : lost) owned_.erase(partition);
    if (!lost.empty()) adopt();
  }

  bool move_cursor(std::uint32_t partition, std::int64_t cursor) {
    return file_
               ->query(
                   "UPDATE cursor SET cursor = ?1, counter = counter + 1"
                   " WHERE grp = ?2 AND topic = ?3 AND partition = ?4 AND fence = ?5")
               .bind(cursor)
               .bind(subscriber_.group)
               .bind(topic_.id)
               .bind(std::int64_t{partition})
               .bind(static_cast<std::int64_t>(readings_.at(partition).fence))
               .run() == 1;
  }

  const Options options_;
  const SubscriberOptions subscriber_;
  std::unique_ptr<LogFile> file_;
  Topic topic_;
  std::unique_ptr<Membership> membership_;
  WakeFlag flag_;
  std::map<std::uint32_t, Ownership> owned_;
  std::map<std::uint32_t, Reading> readings_;
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::int64_t>> delivered_;
  std::set<std::uint32_t> dirty_;  // partitions whose cursor is not stored yet
  std::uint64_t next_token_ = 1;
  std::uint32_t last_read_ = 0;
  std::int64_t seen_version_ = -1;
  bool more_ = true;
};

Status check(const SubscriberOptions& subscriber) {
  for (const auto& name : {subscriber.topic, subscriber.group}) {
    if (name.empty() || name.size() > kNameBytesMax) {
      return Error{Remedy::fix_call, "a subscriber needs a topic and a group",
                   "name both, with 1 to 255 bytes"};
    }
  }
  if (subscriber.member.size() > kNameBytesMax) {
    return Error{Remedy::fix_call, "the member's name is over 255 bytes", "use a shorter one"};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Subscriber>> open_subscriber(const Options& options,
                                                    const SubscriberOptions& subscriber) {
  if (auto valid = check(options); !valid) return valid.error();
  if (auto valid = check(subscriber); !valid) return valid.error();
  return guarded([&]() -> std::unique_ptr<Subscriber> {
    return std::make_unique<EmbeddedSubscriber>(options, subscriber);
  });
}

}  // namespace waybill::embedded
