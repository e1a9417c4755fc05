#include "subscriber.hpp"

#include <algorithm>
#include <utility>

#include "failure.hpp"
#include "reading.hpp"

namespace waybill::rabbitmq {
namespace {

constexpr Millis kPauseMin{50};
constexpr Millis kPauseMax{1000};
constexpr Millis kAwayTold{3000};  // a server that restarts is back by then, or soon
constexpr Millis kAwayTellAgain{60'000};
constexpr std::size_t kMemberBytesMax = 255;

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

RabbitmqSubscriber::RabbitmqSubscriber(const Options& options, Server server,
                                       const SubscriberOptions& subscriber)
    : options_(options),
      subscriber_(subscriber),
      server_(std::move(server)),
      connection_(server_.address, server_.tls.get(), options.tls.verify_name,
                  options.connect_timeout, to_heartbeat(options.handling_max),
                  subscriber.member.empty() ? options.source : subscriber.member) {}

RabbitmqSubscriber::~RabbitmqSubscriber() {
  if (!abandoned_) connection_.close(now() + options_.close_timeout, waker_, *this);
}

Status RabbitmqSubscriber::receive(Steady until, std::size_t at_most, std::vector<Delivery>& out) {
  const std::size_t size_max = out.size() + at_most;
  const std::size_t before = out.size();
  for (;;) {
    step();
    while (out.size() < size_max) {
      const Delivery* const delivery = holding_.deliver();
      if (delivery == nullptr) break;
      out.push_back(*delivery);
    }
    const bool woken = waker_.take();
    if (out.size() > before || failure_ || woken || now() >= until) break;
    const bool waits_to_connect = connection_.state() == Connection::State::closed;
    connection_.wait(waits_to_connect ? std::min(until, connect_from_) : until, waker_, reads());
  }
  if (!failure_ || out.size() > before) return {};
  return *std::exchange(failure_, std::nullopt);
}

Status RabbitmqSubscriber::settle(std::span<const std::uint64_t> tokens, Settle how) {
  std::vector<std::uint64_t> acked;
  for (const std::uint64_t token : tokens) {
    const std::uint64_t tag = token - first_token_ + 1;
    // Of a connection that was lost, or unknown.
    if (token < first_token_ || !holding_.is_delivered(tag)) continue;
    holding_.again(tag);  // so that one that is named twice counts once
    if (how == Settle::ack) acked.push_back(tag);
  }
  for (const auto& [tag, multiple] : holding_.ack(std::move(acked))) {
    amqp_basic_ack_t ack{};
    ack.delivery_tag = tag;
    ack.multiple = multiple ? 1 : 0;
    append_method(connection_.output(), kChannel, AMQP_BASIC_ACK_METHOD, &ack);
  }
  step();
  return {};
}

// All that can be done without waiting.
void RabbitmqSubscriber::step() {
  if (connection_.state() == Connection::State::closed && now() >= connect_from_) {
    lost_ = false;
    connection_.open();
  }
  connection_.work(*this, reads());
  note_loss();
}

bool RabbitmqSubscriber::reads() const noexcept {
  return holding_.bytes() < options_.unsettled_bytes_max;
}

void RabbitmqSubscriber::note_loss() {
  if (connection_.state() != Connection::State::closed || lost_) return;
  lost_ = true;
  const Lost& lost = connection_.lost();
  pause_ = std::clamp(pause_ * 2, kPauseMin, kPauseMax);
  connect_from_ = now() + pause_;
  if (refused_ || lost.result == PublishResult::destination_down) {
    failure_ = Error{Remedy::fix_call, "queue '" + subscriber_.queue + "': " + lost.reason,
                     "create the queue, or grant access"};
  } else if (!away_told_from_) {
    away_told_from_ = now() + kAwayTold;
  } else if (now() >= *away_told_from_) {
    away_told_from_ = now() + kAwayTellAgain;
    failure_ = Error{Remedy::retry, "queue '" + subscriber_.queue + "': " + lost.reason,
                     "check host, port, TLS, credentials and virtual host"};
  }
  refused_ = false;
  // The server gives them to others, or to us again under new tags.
  holding_.clear();
  incoming_.reset();
}

void RabbitmqSubscriber::on_channel_open() {
  away_told_from_.reset();
  first_token_ += last_tag_;
  last_tag_ = 0;
  amqp_basic_qos_t limit{};
  limit.prefetch_count = static_cast<std::uint16_t>(options_.unsettled_max);
  append_method(connection_.output(), kChannel, AMQP_BASIC_QOS_METHOD, &limit);
  amqp_basic_consume_t consume{};
  consume.queue = to_bytes(subscriber_.queue);
  consume.consumer_tag = to_bytes(subscriber_.member);
  append_method(connection_.output(), kChannel, AMQP_BASIC_CONSUME_METHOD, &consume);
}

bool RabbitmqSubscriber::on_channel_closed(std::uint16_t code, const std::string& /*text*/) {
  refused_ = classify_culprit(code) == PublishResult::destination_down;
  return false;
}

void RabbitmqSubscriber::on_frame(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_HEADER) return read_header(frame);
  if (frame.frame_type == AMQP_FRAME_BODY) return read_body(to_view(frame.payload.body_fragment));
  const amqp_method_t& method = frame.payload.method;
  switch (method.id) {
    case AMQP_BASIC_CONSUME_OK_METHOD:
      pause_ = Millis(0);
      return;
    case AMQP_BASIC_DELIVER_METHOD:
      return begin(*static_cast<const amqp_basic_deliver_t*>(method.decoded));
    case AMQP_BASIC_CANCEL_METHOD:
      // The queue was deleted, or its node went: consuming begins anew, with the next connection.
      return connection_.give_up("the server cancelled the consumer");
    default:
      return;
  }
}

void RabbitmqSubscriber::begin(const amqp_basic_deliver_t& deliver) {
  incoming_.emplace();
  incoming_tag_ = deliver.delivery_tag;
  last_tag_ = deliver.delivery_tag;
}

void RabbitmqSubscriber::read_header(const amqp_frame_t& frame) {
  if (!incoming_) return;
  incoming_bytes_ = frame.payload.properties.body_size;
  incoming_ = read_properties(
      *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded));
  if (incoming_bytes_ == 0) finish();
}

void RabbitmqSubscriber::read_body(std::string_view part) {
  if (!incoming_) return;
  incoming_->body += part;
  incoming_bytes_ -= std::min<std::uint64_t>(incoming_bytes_, part.size());
  if (incoming_bytes_ == 0) finish();
}

void RabbitmqSubscriber::finish() {
  // No MessageId on purpose: a consumer parks it.
  if (incoming_->message_id.empty()) {
    incoming_->message_id = name_of(subscriber_.queue, incoming_->body);
  }
  incoming_->token = first_token_ + incoming_tag_ - 1;
  holding_.add(incoming_tag_, std::move(*incoming_));
  incoming_.reset();
}

Result<std::unique_ptr<Subscriber>> open_subscriber(const Options& options,
                                                    const SubscriberOptions& subscriber) {
  auto server = check(options);
  if (!server) return server.error();
  if (!is_name(subscriber.queue) || subscriber.member.size() > kMemberBytesMax) {
    return Error{Remedy::fix_call, "a subscriber needs a queue", "name it, with 1 to 255 bytes"};
  }
  return std::unique_ptr<Subscriber>(
      std::make_unique<RabbitmqSubscriber>(options, std::move(*server), subscriber));
}

}  // namespace waybill::rabbitmq
