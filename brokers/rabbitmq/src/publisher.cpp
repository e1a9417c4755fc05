#include "publisher.hpp"

#include <algorithm>
#include <utility>

#include "failure.hpp"
#include "waybill/message_id.hpp"

namespace waybill::rabbitmq {
namespace {

constexpr std::string_view kEventPrefix = "cloudEvents_";
constexpr std::string_view kNumberHeader = "waybillpublish";
constexpr std::size_t kReasonBytesMax = 512;
constexpr std::size_t kShortMax = 255;
constexpr std::size_t kExchangesMax = 1000;
// Encoded ahead of the socket: enough to write many messages at once, little to copy.
constexpr std::size_t kAheadBytes = std::size_t{256} << 10;
// A message that waits for its answer must not let those behind it pile up.
constexpr std::size_t kSentPerWindow = 16;
constexpr Millis kPauseMin{50};
constexpr Millis kPauseMax{1000};

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Target target_of(const Outgoing& message) noexcept {
  const std::size_t slash = message.destination.find('/');
  if (slash == std::string_view::npos) return {{}, message.destination};
  const std::string_view exchange = message.destination.substr(0, slash);
  const std::string_view key = message.destination.substr(slash + 1);
  return {exchange, key.empty() && !exchange.empty() ? message.message_type : key};
}

RabbitmqPublisher::RabbitmqPublisher(const Options& options, Server server)
    : options_(options),
      server_(std::move(server)),
      connection_(server_.address, server_.tls.get(), options.tls.verify_name,
                  options.connect_timeout, to_heartbeat(options.heartbeat), options.source),
      body_bytes_max_(options.body_bytes_max) {}

PublisherTraits RabbitmqPublisher::traits() const {
  return {options_.window_max, body_bytes_max_, false};
}

std::size_t RabbitmqPublisher::submit(std::span<const Outgoing> messages) {
  if (closed_) return 0;
  const std::size_t accepted = std::min<std::size_t>(messages.size(), options_.window_max - open_);
  const Steady due = now() + options_.publish_timeout;
  for (const Outgoing& message : messages.first(accepted)) {
    pending_.push_back({message, due, 0, false, false, {}});
  }
  open_ += accepted;
  return accepted;
}

void RabbitmqPublisher::poll(Steady until, OutcomeSink& sink) {
  for (;;) {
    step();
    const bool is_enough = !answers_.empty();
    give_answers(sink);
    if (waker_.take() || is_enough || now() >= until) return;
    Steady wake_at = std::min(until, next_due());
    if (connection_.state() == Connection::State::closed && !(closed_ && pending_.empty())) {
      wake_at = std::min(wake_at, connect_from_);
    }
    connection_.wait(wake_at, waker_);
  }
}

void RabbitmqPublisher::close(Steady deadline, OutcomeSink& sink) {
  closed_ = true;
  poll(now(), sink);
  while (open_ > 0 && now() < deadline) poll(deadline, sink);
  for (auto* const queue : {&sent_, &pending_}) {
    for (Entry& entry : *queue) {
      answer(entry, PublishResult::unknown, "closed before the server answered");
    }
    queue->clear();
  }
  give_answers(sink);
  connection_.close(deadline, waker_, *this);
}

// All that can be done without waiting.
void RabbitmqPublisher::step() {
  connect();
  connection_.work(*this);
  note_loss();
  expire();
  if (connection_.is_blocked()) on_blocked();
  encode();
  connection_.flush();
  note_loss();
}

void RabbitmqPublisher::connect() {
  if (connection_.state() != Connection::State::closed || now() < connect_from_) return;
  // Nothing is left to be sent when nothing can be submitted any more.
  if (closed_ && pending_.empty()) return;
  lost_ = false;
  connection_.open();
}

void RabbitmqPublisher::note_loss() {
  if (connection_.state() == Connection::State::open) pause_ = Millis(0);
  if (connection_.state() != Connection::State::closed || lost_) return;
  lost_ = true;
  const Lost& lost = connection_.lost();
  const bool was_open = pause_ == Millis(0);
  pause_ = std::clamp(pause_ * 2, kPauseMin, kPauseMax);
  connect_from_ = now() + pause_;
  abandon_sent(lost.reason);
  // After a loss, what was not sent waits for the first attempt to come back.
  if (!was_open || lost.result == PublishResult::destination_down) {
    answer_pending(lost.result, lost.reason);
  }
}

void RabbitmqPublisher::abandon_sent(const std::string& reason) {
  while (!sent_.empty() && sent_.back().begins >= connection_.maybe_sent()) {
    if (!sent_.back().is_answered) pending_.push_front(std::move(sent_.back()));
    sent_.pop_back();
  }
  for (Entry& entry : sent_) {
    if (!entry.is_answered) answer(entry, PublishResult::unknown, reason);
  }
  sent_.clear();
  alone_ = false;
}

void RabbitmqPublisher::expire() {
  const Steady time = now();
  for (Entry& entry : sent_) {
    if (entry.due > time) break;
    if (!entry.is_answered) {
      answer(entry, PublishResult::unknown, "no answer within the publish time-out");
    }
  }
  drop_answered();
  while (!pending_.empty() && pending_.front().due <= time) {
    answer(pending_.front(), PublishResult::unreachable,
           "not sent within the publish time-out: the server takes nothing");
    pending_.pop_front();
  }
}

Steady RabbitmqPublisher::next_due() const {
  Steady due = Steady::max();
  if (!sent_.empty()) due = sent_.front().due;
  if (!pending_.empty()) due = std::min(due, pending_.front().due);
  return due;
}

void RabbitmqPublisher::on_channel_open() {
  amqp_confirm_select_t select{};
  append_method(connection_.output(), kChannel, AMQP_CONFIRM_SELECT_METHOD, &select);
  channel_begins_ = next_number_;
  proven_.clear();
  alone_ = false;
  is_returning_ = false;
}

void RabbitmqPublisher::on_blocked() {
  const std::string reason = "the server is short of memory or disk and takes nothing";
  while (!sent_.empty() && sent_.back().begins >= connection_.maybe_sent()) {
    connection_.take_back(sent_.back().begins);
    --next_number_;
    if (!sent_.back().is_answered) pending_.push_front(std::move(sent_.back()));
    sent_.pop_back();
  }
  drop_answered();
  answer_pending(PublishResult::throttled, reason);
}

bool RabbitmqPublisher::must_go_alone(const Entry& entry) const {
  return alone_next_ > 0 || !proven_.contains(target_of(entry.message).exchange);
}

// A message for which the server closes the channel takes the others on it along. Which one it was
// is known when it was alone: so goes the first one to an exchange, and those after such a loss.
void RabbitmqPublisher::encode() {
  if (connection_.state() != Connection::State::open || connection_.is_blocked()) return;
  const std::size_t sent_max = kSentPerWindow * options_.window_max;
  while (!pending_.empty() && connection_.unsent_bytes() < kAheadBytes && !alone_ &&
         sent_.size() < sent_max) {
    Entry& entry = pending_.front();
    if (const auto refusal = refuse(entry.message)) {
      answer(entry, refusal->result, refusal->reason);
      pending_.pop_front();
      continue;
    }
    const bool alone = must_go_alone(entry);
    if (alone && !sent_.empty()) return;
    entry.begins = connection_.end();
    if (encode(entry, next_number_)) {
      ++next_number_;
      alone_ = alone;
      sent_.push_back(std::move(entry));
    } else {
      answer(entry, PublishResult::rejected, "its headers are larger than a frame");
    }
    pending_.pop_front();
  }
}

std::optional<RabbitmqPublisher::Answer> RabbitmqPublisher::refuse(const Outgoing& message) const {
  const Target target = target_of(message);
  if (target.exchange.size() > kShortMax || target.routing_key.size() > kShortMax) {
    return Answer{0, PublishResult::destination_down, "exchange or routing key is over 255 bytes"};
  }
  if (message.body.size() > body_bytes_max_) {
    return Answer{0, PublishResult::rejected,
                  "the body is over " + std::to_string(body_bytes_max_) + " bytes"};
  }
  if (message.message_id.empty() || message.message_id.size() > kMessageIdBytesMax) {
    return Answer{0, PublishResult::rejected, "the message id is empty or over 768 bytes"};
  }
  return std::nullopt;
}

bool RabbitmqPublisher::encode(Entry& entry, std::uint64_t number) {
  const Outgoing& message = entry.message;
  headers_.clear();
  headers_.add(kNumberHeader, static_cast<std::int64_t>(number));
  if (options_.format == WireFormat::plain) {
    headers_.add({}, cloud_events::kPlainIdHeader, message.message_id);
  } else {
    if (message.sent_at != sent_at_) {
      sent_at_ = message.sent_at;
      sent_at_text_ = cloud_events::to_rfc3339(sent_at_);
    }
    const cloud_events::Attributes event(message, sent_at_text_, options_.source);
    for (const auto& [name, value] : event.all()) headers_.add(kEventPrefix, name, value);
  }
  const std::size_t frame_bytes_max = connection_.frame_bytes_max();
  if (content_header_bytes(headers_, message.message_id) > frame_bytes_max) return false;
  const Target target = target_of(message);
  amqp_basic_publish_t publish{};
  publish.exchange = to_bytes(target.exchange);
  publish.routing_key = to_bytes(target.routing_key);
  publish.mandatory = 1;
  append_method(connection_.output(), kChannel, AMQP_BASIC_PUBLISH_METHOD, &publish);
  append_content(connection_.output(), headers_, message.message_id, message.body, frame_bytes_max);
  return true;
}

void RabbitmqPublisher::on_frame(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    if (is_returning_) note_return(frame);
    return;
  }
  if (frame.frame_type != AMQP_FRAME_METHOD) return;  // the body of a return
  const amqp_method_t& method = frame.payload.method;
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(method.decoded);
      return settle(ack.delivery_tag, ack.multiple != 0, PublishResult::acked);
    }
    case AMQP_BASIC_NACK_METHOD: {
      // A full queue that refuses, or one that failed: it is not the message's fault.
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(method.decoded);
      return settle(nack.delivery_tag, nack.multiple != 0, PublishResult::throttled);
    }
    case AMQP_BASIC_RETURN_METHOD:
      returning_ = to_view(static_cast<const amqp_basic_return_t*>(method.decoded)->reply_text);
      is_returning_ = true;
      return;
    default:
      return;
  }
}

void RabbitmqPublisher::note_return(const amqp_frame_t& header) {
  is_returning_ = false;
  const auto& properties =
      *static_cast<const amqp_basic_properties_t*>(header.payload.properties.decoded);
  for (int i = 0; i < properties.headers.num_entries; ++i) {
    const amqp_table_entry_t& entry = properties.headers.entries[i];
    if (to_view(entry.key) != kNumberHeader || entry.value.kind != AMQP_FIELD_KIND_I64) continue;
    const std::uint64_t first = next_number_ - sent_.size();
    const auto number = static_cast<std::uint64_t>(entry.value.value.i64);
    if (number < first || number >= next_number_) return;
    Entry& returned = sent_[number - first];
    returned.is_returned = true;
    returned.returned = returning_;
  }
}

void RabbitmqPublisher::settle(std::uint64_t tag, bool multiple, PublishResult result) {
  const std::uint64_t first = next_number_ - sent_.size();
  const std::uint64_t last = channel_begins_ + tag - 1;
  if (last < first || last >= next_number_) return;  // told as unknown before
  for (std::uint64_t number = multiple ? first : last; number <= last; ++number) {
    Entry& entry = sent_[number - first];
    if (alone_ || result == PublishResult::acked) {
      const std::string_view exchange = target_of(entry.message).exchange;
      if (!proven_.contains(exchange)) {
        if (proven_.size() >= kExchangesMax) proven_.clear();
        proven_.emplace(exchange);
      }
    }
    if (entry.is_answered) continue;
    if (entry.is_returned) {
      const Target target = target_of(entry.message);
      answer(entry, PublishResult::destination_down,
             "no queue takes it from exchange '" + std::string(target.exchange) +
                 "' by the routing key '" + std::string(target.routing_key) +
                 "': " + entry.returned);
    } else {
      answer(entry, result, result == PublishResult::acked ? "" : "a queue refuses it, or is full");
    }
  }
  if (alone_ && alone_next_ > 0) --alone_next_;
  drop_answered();
}

bool RabbitmqPublisher::on_channel_closed(std::uint16_t code, const std::string& text) {
  if (const auto limit = message_bytes_max(text)) {
    body_bytes_max_ = std::min(body_bytes_max_, *limit);
  }
  if (alone_ && sent_.size() == 1 && !sent_.front().is_answered) {
    answer(sent_.front(), classify_culprit(code), text);
    alone_next_ -= std::min<std::size_t>(alone_next_, 1);
  } else {
    alone_next_ = sent_.size();
  }
  abandon_sent(text);
  return true;
}

void RabbitmqPublisher::answer(Entry& entry, PublishResult result, std::string_view reason) {
  entry.is_answered = true;
  --open_;
  answers_.push_back({entry.message.token, result, std::string(reason.substr(0, kReasonBytesMax))});
}

void RabbitmqPublisher::answer_pending(PublishResult result, std::string_view reason) {
  for (Entry& entry : pending_) answer(entry, result, reason);
  pending_.clear();
}

void RabbitmqPublisher::drop_answered() {
  while (!sent_.empty() && sent_.front().is_answered) sent_.pop_front();
  if (sent_.empty()) alone_ = false;
}

void RabbitmqPublisher::give_answers(OutcomeSink& sink) {
  while (!answers_.empty()) {
    const Answer answer = std::move(answers_.front());
    answers_.pop_front();
    sink.on_outcome({answer.token, answer.result, Millis(0), answer.reason});
  }
}

Result<std::unique_ptr<Publisher>> open_publisher(const Options& options) {
  auto server = check(options);
  if (!server) return server.error();
  return std::unique_ptr<Publisher>(
      std::make_unique<RabbitmqPublisher>(options, std::move(*server)));
}

}  // namespace waybill::rabbitmq
