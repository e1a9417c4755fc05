#include <algorithm>
#include <map>
#include <vector>

#include "log_file.hpp"
#include "retention.hpp"
#include "wake_flag.hpp"
#include "waybill/message_id.hpp"
#include "waybill/test_points.hpp"

namespace waybill::embedded {
namespace {

constexpr std::size_t kTopicBytesMax = 255;

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
      : options_(options),
        file_(std::make_unique<LogFile>(options, sqlite::OpenMode::create)),
        retention_(options.retention, options.clean_up_interval) {}

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
    if (!queue_.empty()) {
      write_queue(sink);
      return;
    }
    do {
      clean_up();
      if (flag_.wait_until(std::min(until, retention_.due_at()))) return;
    } while (std::chrono::steady_clock::now() < until);
  }

  void wake() noexcept override { flag_.wake(); }

  void close(Steady deadline, OutcomeSink& sink) override {
    closed_ = true;
    if (queue_.empty()) return;
    const auto left =
        std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now());
    if (left <= Millis(0)) {
      report_all(sink, PublishResult::unknown, "closed before it was published");
      return;
    }
    if (left < options_.busy_timeout) {
      // Replaces the fair busy handler, which would wait beyond the deadline.
      static_cast<void>(guarded([&] {
        file_->database().execute("PRAGMA busy_timeout = " + std::to_string(left.count()));
      }));
    }
    write_queue(sink);
  }

 private:
  // One transaction for the whole queue: one sync of the disk serves every message.
  void write_queue(OutcomeSink& sink) {
    std::vector<PublishOutcome> outcomes(queue_.size());
    const auto written = guarded([&] {
      reopen_if_replaced();
      sqlite::in_transaction(file_->database(), [&] {
        const std::int64_t now = read_now();
        for (std::size_t i = 0; i < queue_.size(); ++i) outcomes[i] = write(queue_[i], now);
        WAYBILL_TEST_POINT("queue.before_commit");
      });
    });
    if (!written) {
      topics_.clear();  // the rolled back transaction may have created some
      report_all(sink, classify(written.error()), written.error().to_string());
      return;
    }
    WAYBILL_TEST_POINT("queue.after_commit");
    queue_.clear();
    for (const auto& outcome : outcomes) sink.on_outcome(outcome);
    clean_up();
  }

  void report_all(OutcomeSink& sink, PublishResult result, const std::string& reason) {
    const std::vector<Outgoing> messages = std::exchange(queue_, {});
    for (const Outgoing& message : messages) {
      sink.on_outcome({message.token, result, Millis(0), reason});
    }
  }

  void reopen_if_replaced() {
    if (!file_->is_replaced()) return;
    topics_.clear();
    file_ = std::make_unique<LogFile>(options_, sqlite::OpenMode::create);
  }

  // Microseconds by the database's clock, read once a transaction.
  std::int64_t read_now() {
    auto query =
        file_->query("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000");
    query.step();
    return query.number(0);
  }

  PublishOutcome write(const Outgoing& message, std::int64_t now) {
    const auto refuse = [&](PublishResult result, std::string_view reason) {
      return PublishOutcome{message.token, result, Millis(0), reason};
    };
    if (message.body.size() > options_.body_bytes_max) {
      return refuse(PublishResult::rejected, "the body is over body_bytes_max");
    }
    if (message.message_id.empty() || message.message_id.size() > kMessageIdBytesMax) {
      return refuse(PublishResult::rejected, "the message id is empty or over 768 bytes");
    }
    const auto topic = topic_of(message.destination);
    if (!topic) return refuse(PublishResult::destination_down, "no such topic in the queue");
    file_
        ->query(
            "INSERT INTO log (topic, partition, message_id, message_type, key, body, traceparent, "
            "epoch, sent_at,"
            " published_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
        .bind(topic->id)
        .bind(std::int64_t{partition_of(message.key, message.message_id, topic->partitions)})
        .bind(message.message_id)
        .bind(message.message_type)
        .bind(message.key)
        .bind_blob(message.body)
        .bind(message.traceparent)
        .bind(std::int64_t{message.epoch})
        .bind(to_micros(message.sent_at))
        .bind(now)
        .run();
    return {message.token, PublishResult::acked, Millis(0), {}};
  }

  std::optional<Topic> topic_of(std::string_view name) {
    const auto known = topics_.find(name);
    if (known != topics_.end()) return known->second;
    if (name.empty() || name.size() > kTopicBytesMax) return std::nullopt;
    auto topic = file_->find_topic(name);
    if (!topic && options_.create_topics) topic = file_->create_topic(name, options_.partitions);
    if (topic) topics_.emplace(std::string(name), *topic);
    return topic;
  }

  void clean_up() { retention_.clean_up(*file_, std::chrono::steady_clock::now()); }

  const Options options_;
  std::unique_ptr<LogFile> file_;
  Retention retention_;
  WakeFlag flag_;
  std::vector<Outgoing> queue_;
  std::map<std::string, Topic, std::less<>> topics_;
  bool closed_ = false;
};

}  // namespace

Result<std::unique_ptr<Publisher>> open_publisher(const Options& options) {
  if (auto valid = check(options); !valid) return valid.error();
  return guarded(
      [&]() -> std::unique_ptr<Publisher> { return std::make_unique<EmbeddedPublisher>(options); });
}

}  // namespace waybill::embedded
