#include <algorithm>
#include <map>
#include <vector>

#include "log_file.hpp"
#include "wake_flag.hpp"

namespace waybill::embedded {
namespace {

constexpr auto kCleanUpInterval = std::chrono::seconds(60);

// What is reported for every message of a batch that could not be written.
PublishResult classify(const Error& error) {
  switch (error.remedy) {
    case Remedy::retry:
      return PublishResult::unreachable;
    case Remedy::look:
      return PublishResult::unknown;
    case Remedy::fix_call:
      return PublishResult::destination_down;
  }
  return PublishResult::unknown;
}

class EmbeddedPublisher final : public Publisher {
 public:
  explicit EmbeddedPublisher(const Options& options)
      : options_(options), file_(options, sqlite::OpenMode::create) {}

  PublisherTraits traits() const override {
    return {options_.window_max, options_.body_bytes_max, true};
  }

  std::size_t submit(std::span<const Outgoing> messages) override {
    if (closed_) return 0;
    const std::size_t accepted =
        std::min<std::size_t>(messages.size(), options_.window_max - queue_.size());
    queue_.insert(queue_.end(), messages.begin(),
                  messages.begin() + static_cast<std::ptrdiff_t>(accepted));
    return accepted;
  }

  void poll(Steady until, OutcomeSink& sink) override {
    if (queue_.empty()) {
      flag_.wait_until(until);
      return;
    }
    write_queue(sink);
  }

  void wake() noexcept override { flag_.wake(); }

  void close(Steady deadline, OutcomeSink& sink) override {
    closed_ = true;
    if (queue_.empty()) return;
    if (std::chrono::steady_clock::now() < deadline) {
      write_queue(sink);
      return;
    }
    std::vector<PublishOutcome> outcomes;
    for (const Outgoing& message : queue_) {
      outcomes.push_back(
          {message.token, PublishResult::unknown, Millis(0), "closed before it was published"});
    }
    queue_.clear();
    for (const auto& outcome : outcomes) sink.on_outcome(outcome);
  }

 private:
  // One transaction for the whole queue: one sync of the disk serves every message.
  void write_queue(OutcomeSink& sink) {
    std::vector<PublishOutcome> outcomes(queue_.size());
    std::string reason;
    try {
      sqlite::in_transaction(file_.database(), [&] {
        for (std::size_t i = 0; i < queue_.size(); ++i) outcomes[i] = write(queue_[i]);
      });
    } catch (const sqlite::Failure& failure) {
      reason = failure.error.to_string();
      topics_.clear();  // what the rolled back transaction created
      for (std::size_t i = 0; i < queue_.size(); ++i) {
        outcomes[i] = {queue_[i].token, classify(failure.error), Millis(0), reason};
      }
    }
    queue_.clear();
    for (const auto& outcome : outcomes) sink.on_outcome(outcome);
    clean_up();
  }

  PublishOutcome write(const Outgoing& message) {
    if (message.body.size() > options_.body_bytes_max) {
      return {message.token, PublishResult::rejected, Millis(0), "the body is over body_bytes_max"};
    }
    const auto topic = topic_of(message.destination);
    if (!topic) {
      return {message.token, PublishResult::destination_down, Millis(0),
              "no such topic in the queue"};
    }
    file_
        .query(
            "INSERT INTO log (topic, partition, message_id, message_type, key, body, traceparent, "
            "epoch, sent_at,"
            " published_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
            " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)")
        .bind(topic->id)
        .bind(std::int64_t{partition_of(message.key, message.message_id, topic->partitions)})
        .bind(message.message_id)
        .bind(message.message_type)
        .bind(message.key)
        .bind_blob(message.body)
        .bind(message.traceparent)
        .bind(std::int64_t{message.epoch})
        .bind(to_micros(message.sent_at))
        .run();
    return {message.token, PublishResult::acked, Millis(0), {}};
  }

  std::optional<Topic> topic_of(std::string_view name) {
    const auto known = topics_.find(name);
    if (known != topics_.end()) return known->second;
    auto topic = file_.find_topic(name);
    if (!topic && options_.create_topics) topic = file_.create_topic(name, options_.partitions);
    if (topic) topics_.emplace(std::string(name), *topic);
    return topic;
  }

  // A small batch now and then; trouble with it is no trouble of a message.
  void clean_up() {
    const Steady now = std::chrono::steady_clock::now();
    if (now - cleaned_at_ < kCleanUpInterval) return;
    cleaned_at_ = now;
    const auto age_ms = std::chrono::duration_cast<Millis>(options_.retention).count();
    static_cast<void>(sqlite::guarded([&] {
      sqlite::in_transaction(file_.database(), [&] {
        file_
            .query(
                "DELETE FROM log WHERE position < (SELECT MIN(position) FROM log) + 1000 AND "
                "published_at <"
                " (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - ?1) * 1000")
            .bind(std::int64_t{age_ms})
            .run();
      });
    }));
  }

  const Options options_;
  LogFile file_;
  WakeFlag flag_;
  std::vector<Outgoing> queue_;
  std::map<std::string, Topic, std::less<>> topics_;
  Steady cleaned_at_ = std::chrono::steady_clock::now();
  bool closed_ = false;
};

}  // namespace

Result<std::unique_ptr<Publisher>> open_publisher(const Options& options) {
  if (options.partitions < 1 || options.partitions > 64 || options.window_max < 1) {
    return Error{Remedy::fix_call, "queue options out of bounds",
                 "1 to 64 partitions, a window of at least 1"};
  }
  return sqlite::guarded(
      [&]() -> std::unique_ptr<Publisher> { return std::make_unique<EmbeddedPublisher>(options); });
}

}  // namespace waybill::embedded
