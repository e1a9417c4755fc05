#include "waybill/confirm/reply_topic.hpp"

#include <algorithm>
#include <exception>
#include <optional>

#include "waybill/confirm/batch.hpp"
#include "waybill/message_id.hpp"
#include "waybill/test_points.hpp"

namespace waybill::confirm {
namespace {

constexpr std::size_t kHeaderBytesMax = 4096;
constexpr Millis kReceiveWait{1000};

Error malformed(std::string text) {
  return {Remedy::fix_call, std::move(text), "headers as lines, an empty line, the body"};
}

std::string_view header(const Request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return {};
}

// The one outcome that a request waits for.
class Answer final : public OutcomeSink {
 public:
  explicit Answer(std::uint64_t token) : token_(token) {}
  void on_outcome(const PublishOutcome& outcome) override {
    if (outcome.token != token_) return;
    result_ = outcome.result;
    reason_ = outcome.reason;
  }
  [[nodiscard]] bool came() const noexcept { return result_.has_value(); }
  [[nodiscard]] Result<Reply> reply(const std::string& topic) const {
    const PublishResult result = result_.value_or(PublishResult::unknown);
    const std::string text =
        "reply topic '" + topic + "': " + std::string(to_string(result)) + " " + reason_;
    switch (result) {
      case PublishResult::acked:
        return Reply{kPublished, {}, {}, {}};
      case PublishResult::rejected:
        return Reply{413, {}, {}, {}};
      case PublishResult::destination_down:
        return Error{Remedy::fix_call, text, "is it there, and may this service write to it?"};
      case PublishResult::unknown:
        return Error{Remedy::look, text, "it is sent again; that does no harm"};
      default:
        return Error{Remedy::retry, text, ""};
    }
  }

 private:
  const std::uint64_t token_;
  std::optional<PublishResult> result_;
  std::string reason_;
};

class TopicPost {
 public:
  TopicPost(OpenPublisher open, PostToTopicOptions options)
      : open_(std::move(open)), options_(std::move(options)) {}

  Result<Reply> operator()(const Request& request) {
    if (!publisher_) {
      auto opened = open_(options_.destination);
      if (!opened) return opened.error();
      publisher_ = std::move(*opened);
    }
    const std::string message_id =
        MessageId{"waybill", std::string(kReplyType), std::string(header(request, "webhook-id"))}
            .to_string();
    const std::string body = encode_reply(request);
    Outgoing message;
    message.token = ++token_;
    message.destination = options_.destination;
    message.message_id = message_id;
    message.message_type = kReplyType;
    message.body = body;
    message.sent_at =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    const Answer answer = publish(message);
    // The body goes with this call, so that nothing may be in flight after it.
    if (!answer.came()) publisher_.reset();
    return answer.reply(options_.destination);
  }

 private:
  Answer publish(const Outgoing& message) {
    const Steady until = std::chrono::steady_clock::now() + options_.timeout;
    Answer answer(message.token);
    std::size_t taken = 0;
    while (!answer.came() && std::chrono::steady_clock::now() < until) {
      if (taken == 0) taken = publisher_->submit({&message, 1});
      publisher_->poll(until, answer);
    }
    return answer;
  }

  const OpenPublisher open_;
  const PostToTopicOptions options_;
  std::unique_ptr<Publisher> publisher_;
  std::uint64_t token_ = 0;
};

}  // namespace

std::string encode_reply(const Request& request) {
  std::string body;
  for (const auto& [name, value] : request.headers) body += name + ": " + value + "\n";
  return body + "\n" + request.body;
}

Result<Request> parse_reply(std::string_view body) {
  Request request;
  const std::size_t whole = body.size();
  while (!body.starts_with('\n')) {
    const std::size_t end = body.find('\n');
    if (end == body.npos || whole - body.size() + end > kHeaderBytesMax) {
      return malformed("no empty line ends the headers");
    }
    const std::string_view line = body.substr(0, end);
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) return malformed("a header has no colon");
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    body.remove_prefix(end + 1);
  }
  request.body = body.substr(1);
  return request;
}

Post post_to_topic(OpenPublisher open, PostToTopicOptions options) {
  // shared: by the copies of the Post
  auto post = std::make_shared<TopicPost>(std::move(open), std::move(options));
  return [post](const Request& request) { return (*post)(request); };
}

ReplyReader::ReplyReader(Endpoint& endpoint, OpenSubscriber open, ReplyReaderOptions options)
    : endpoint_(endpoint), open_(std::move(open)), options_(std::move(options)) {}

ReplyReader::~ReplyReader() {
  stop();
}

Status ReplyReader::start() {
  if (options_.age_max < kTimestampTolerance || options_.age_max > kRetentionMax) {
    return Error{Remedy::fix_call, "age_max is " + std::to_string(options_.age_max.count()) + " s",
                 "5 minutes to 3650 days"};
  }
  auto opened = open_();
  if (!opened) return opened.error();
  subscriber_ = std::move(*opened);
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  return {};
}

void ReplyReader::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  subscriber_->wake();
  thread_ = {};
  subscriber_.reset();
}

ReplyReaderStats ReplyReader::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void ReplyReader::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<Delivery> batch;
    const Status received = subscriber_->receive(std::chrono::steady_clock::now() + kReceiveWait,
                                                 options_.batch_max, batch);
    if (!received) {
      tell_trouble(received.error());
      wait(stop);
    }
    if (!batch.empty()) trouble_.end();
    handle(batch, stop);
  }
}

// One alarm a batch, since whoever may write to the topic could fill the log.
void ReplyReader::handle(const std::vector<Delivery>& batch, const std::stop_token& stop) {
  std::vector<std::uint64_t> tokens;
  std::size_t dropped = 0;
  std::string first_dropped;
  for (const Delivery& delivery : batch) {
    std::string why;
    const Fate fate = handle(delivery, why);
    if (fate == Fate::waits) break;
    tokens.push_back(delivery.token);
    if (fate == Fate::dropped && ++dropped == 1) first_dropped = delivery.message_id + ": " + why;
  }
  if (dropped > 0) {
    tell(LogLevel::alarm,
         "dropped " + std::to_string(dropped) + " message(s), first " + first_dropped);
  }
  {
    const std::lock_guard lock(mutex_);
    stats_.requests += tokens.size() - dropped;
    stats_.dropped += dropped;
  }
  WAYBILL_TEST_POINT("confirm.before_settle");
  settle(tokens, Settle::ack);
  const std::size_t settled = tokens.size();
  tokens.clear();
  for (std::size_t i = settled; i < batch.size(); ++i) tokens.push_back(batch[i].token);
  settle(tokens, Settle::again);
  if (!tokens.empty()) wait(stop);
}

ReplyReader::Fate ReplyReader::handle(const Delivery& delivery, std::string& why) {
  const auto request = parse_reply(delivery.body);
  if (!request) {
    why = request.error().text;
    return Fate::dropped;
  }
  Reply reply;
  try {
    reply = endpoint_.handle(*request, options_.age_max);
  } catch (const std::exception& error) {  // of the store, which is the user's
    tell(LogLevel::warning, std::string("an exception: ") + error.what());
    return Fate::waits;
  }
  if (reply.status == 200) return Fate::written;
  if (reply.status == 503) return Fate::waits;  // the endpoint has told why
  why = reply.status == 401 ? "not signed by a live key, or too old"
                            : "the endpoint answers " + std::to_string(reply.status);
  return Fate::dropped;
}

void ReplyReader::settle(std::span<const std::uint64_t> tokens, Settle how) {
  if (tokens.empty()) return;
  if (const Status settled = subscriber_->settle(tokens, how); !settled) {
    tell(LogLevel::warning, settled.error().to_string());
  }
}

void ReplyReader::wait(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  condition_.wait_for(lock, stop, options_.retry_wait, [] { return false; });
}

void ReplyReader::tell_trouble(const Error& error) {
  if (!trouble_.is_to_be_told(error.text, std::chrono::steady_clock::now())) return;
  tell(error.remedy == Remedy::fix_call ? LogLevel::alarm : LogLevel::warning, error.to_string());
}

void ReplyReader::tell(LogLevel level, const std::string& text) const {
  if (options_.log) options_.log(level, "reply topic: " + text);
}

}  // namespace waybill::confirm
