#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <unordered_map>

#include "log_file.hpp"
#include "membership.hpp"
#include "wake_flag.hpp"

namespace waybill::embedded {
namespace {

constexpr const char* kRowColumns =
    "SELECT position, partition, message_id, message_type, key, body, traceparent, epoch, sent_at "
    "FROM log ";

// Where this member stands in one partition that it owns.
struct Reading {
  std::uint64_t fence = 0;
  std::int64_t settled = 0;           // the cursor as stored
  std::int64_t read_to = 0;           // the last position that was delivered
  std::map<std::int64_t, bool> open;  // delivered behind `settled`: position → acked
  std::set<std::int64_t> again;       // to be delivered again, before anything behind them
};

std::string unique_name(const std::string& member) {
  std::random_device random;
  return member + "-" + std::to_string(getpid()) + "-" + std::to_string(random());
}

class EmbeddedSubscriber final : public Subscriber {
 public:
  EmbeddedSubscriber(const Options& options, const SubscriberOptions& subscriber)
      : options_(options),
        file_(options, sqlite::OpenMode::create),
        topic_(ensure_topic(subscriber.topic)),
        group_(subscriber.group),
        membership_(file_, topic_, subscriber.group, unique_name(subscriber.member),
                    options.lease_ttl) {}

  ~EmbeddedSubscriber() override {
    static_cast<void>(sqlite::guarded([&] { membership_.leave(owned_); }));
  }

  Status receive(Steady until, std::size_t at_most, std::vector<Delivery>& out) override {
    for (;;) {
      Status worked = sqlite::guarded([&] { collect(at_most, out); });
      if (!worked && worked.error().remedy == Remedy::fix_call) return worked;
      const Steady now = std::chrono::steady_clock::now();
      if (!out.empty() || now >= until) return {};
      // A busy file is tried again like an empty one.
      if (flag_.wait_until(std::min(until, now + options_.poll_interval))) return {};
    }
  }

  Status settle(std::span<const std::uint64_t> tokens, Settle how) override {
    std::set<std::uint32_t> touched;
    for (const std::uint64_t token : tokens) {
      const auto place = delivered_.find(token);
      if (place == delivered_.end()) continue;  // of a partition that was lost
      const auto [partition, position] = place->second;
      delivered_.erase(place);
      const auto reading = readings_.find(partition);
      if (reading == readings_.end()) continue;
      if (how == Settle::ack) {
        reading->second.open[position] = true;
        touched.insert(partition);
      } else {
        reading->second.again.insert(position);
        more_ = true;
      }
    }
    return sqlite::guarded([&] { move_cursors(touched); });
  }

  void wake() noexcept override { flag_.wake(); }

 private:
  Topic ensure_topic(const std::string& name) {
    if (const auto topic = file_.find_topic(name)) return *topic;
    if (!options_.create_topics) {
      throw sqlite::Failure{{Remedy::fix_call, "no topic '" + name + "' in " + options_.path,
                             "publish to it first, or set create_topics"}};
    }
    return sqlite::in_transaction(file_.database(),
                                  [&] { return file_.create_topic(name, options_.partitions); });
  }

  void collect(std::size_t at_most, std::vector<Delivery>& out) {
    const Steady now = std::chrono::steady_clock::now();
    if (membership_.is_due(now)) {
      membership_.maintain(now, owned_);
      adopt();
    }
    const std::int64_t version = file_.data_version();
    if (version == seen_version_ && !more_) return;
    seen_version_ = version;
    more_ = false;
    for (auto& [partition, reading] : readings_) {
      if (out.size() >= at_most) {
        more_ = true;
        return;
      }
      if (reading.again.empty()) {
        read_on(partition, reading, at_most, out);
      } else {
        read_again(partition, reading, at_most, out);
      }
    }
  }

  // Brings the readings in line with what is owned; tokens of lost partitions are forgotten.
  void adopt() {
    std::erase_if(readings_, [&](const auto& entry) {
      const auto owned = owned_.find(entry.first);
      return owned == owned_.end() || owned->second.fence != entry.second.fence;
    });
    std::erase_if(delivered_,
                  [&](const auto& entry) { return !readings_.contains(entry.second.first); });
    for (const auto& [partition, ownership] : owned_) {
      if (readings_.contains(partition)) continue;
      readings_[partition] = {ownership.fence, ownership.cursor, ownership.cursor, {}, {}};
      more_ = true;
    }
  }

  void read_on(std::uint32_t partition, Reading& reading, std::size_t at_most,
               std::vector<Delivery>& out) {
    static const std::string kSql =
        std::string(kRowColumns) +
        "WHERE topic = ?1 AND partition = ?2 AND position > ?3 ORDER BY position LIMIT ?4";
    Query query = file_.query(kSql.c_str());
    query.bind(topic_.id).bind(std::int64_t{partition}).bind(reading.read_to);
    query.bind(static_cast<std::int64_t>(at_most - out.size()));
    while (query.step()) {
      deliver(query, out);
      reading.read_to = query.number(0);
      reading.open.emplace(reading.read_to, false);
    }
    more_ = more_ || out.size() >= at_most;
  }

  void read_again(std::uint32_t, Reading& reading, std::size_t at_most,
                  std::vector<Delivery>& out) {
    static const std::string kSql = std::string(kRowColumns) + "WHERE position = ?1";
    more_ = true;
    while (!reading.again.empty() && out.size() < at_most) {
      const std::int64_t position = *reading.again.begin();
      Query query = file_.query(kSql.c_str());
      query.bind(position);
      if (query.step()) {
        deliver(query, out);
      } else {
        reading.open[position] = true;  // retention took it
      }
      reading.again.erase(position);
    }
  }

  void deliver(const Query& row, std::vector<Delivery>& out) {
    Delivery delivery;
    delivery.token = next_token_++;
    delivery.message_id = row.text(2);
    delivery.message_type = row.text(3);
    delivery.key = row.text(4);
    delivery.body = row.text(5);
    delivery.traceparent = row.text(6);
    delivery.epoch = static_cast<std::uint32_t>(row.number(7));
    delivery.sent_at = from_micros(row.number(8));
    delivered_.emplace(delivery.token,
                       std::pair{static_cast<std::uint32_t>(row.number(1)), row.number(0)});
    out.push_back(std::move(delivery));
  }

  // One transaction for all partitions; a cursor moves over the acked messages at its head.
  void move_cursors(const std::set<std::uint32_t>& partitions) {
    std::map<std::uint32_t, std::int64_t> moves;
    for (const std::uint32_t partition : partitions) {
      const Reading& reading = readings_.at(partition);
      std::int64_t cursor = reading.settled;
      for (const auto& [position, acked] : reading.open) {
        if (!acked) break;
        cursor = position;
      }
      if (cursor != reading.settled) moves.emplace(partition, cursor);
    }
    if (moves.empty()) return;
    std::vector<std::uint32_t> lost;
    sqlite::in_transaction(file_.database(), [&] {
      lost.clear();
      for (const auto& [partition, cursor] : moves) {
        if (!move_cursor(partition, cursor)) lost.push_back(partition);
      }
    });
    for (const auto& [partition, cursor] : moves) {
      Reading& reading = readings_.at(partition);
      reading.settled = cursor;
      reading.open.erase(reading.open.begin(), reading.open.upper_bound(cursor));
    }
    for (const std::uint32_t partition : lost) owned_.erase(partition);
    if (!lost.empty()) adopt();
  }

  bool move_cursor(std::uint32_t partition, std::int64_t cursor) {
    return file_
               .query(
                   "UPDATE cursor SET cursor = ?1, counter = counter + 1"
                   " WHERE grp = ?2 AND topic = ?3 AND partition = ?4 AND fence = ?5")
               .bind(cursor)
               .bind(group_)
               .bind(topic_.id)
               .bind(std::int64_t{partition})
               .bind(static_cast<std::int64_t>(readings_.at(partition).fence))
               .run() == 1;
  }

  const Options options_;
  LogFile file_;
  const Topic topic_;
  const std::string group_;
  Membership membership_;
  WakeFlag flag_;
  std::map<std::uint32_t, Ownership> owned_;
  std::map<std::uint32_t, Reading> readings_;
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::int64_t>> delivered_;
  std::uint64_t next_token_ = 1;
  std::int64_t seen_version_ = -1;
  bool more_ = true;
};

}  // namespace

Result<std::unique_ptr<Subscriber>> open_subscriber(const Options& options,
                                                    const SubscriberOptions& subscriber) {
  if (subscriber.topic.empty() || subscriber.group.empty()) {
    return Error{Remedy::fix_call, "a subscriber needs a topic and a group", "name both"};
  }
  return sqlite::guarded([&]() -> std::unique_ptr<Subscriber> {
    return std::make_unique<EmbeddedSubscriber>(options, subscriber);
  });
}

}  // namespace waybill::embedded
