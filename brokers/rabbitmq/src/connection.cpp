#include "connection.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "failure.hpp"

namespace waybill::rabbitmq {
namespace {

// How rabbitmq-c marks a protocol header among frames: by its first letter.
constexpr std::uint8_t kProtocolHeader = 'A';
constexpr std::size_t kFrameBytesMax = 131'072;  // what RabbitMQ offers, too
constexpr std::size_t kFrameBytesMin = 4096;
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr int kReadsAtOnce = 8;
constexpr std::size_t kSentToKeep = std::size_t{1} << 20;

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Connection::Connection(const Address& address, SSL_CTX* context, bool verify_name,
                       Millis connect_timeout, std::chrono::seconds heartbeat, std::string name)
    : address_(address),
      context_(context),
      connect_timeout_(connect_timeout),
      heartbeat_wanted_(heartbeat),
      name_(std::move(name)),
      socket_(address, context, verify_name),
      input_(kReadBytes) {}

void Connection::open() {
  state_ = State::opening;
  blocked_ = false;
  heartbeat_ = Millis(0);
  frame_bytes_max_ = kFrameBytesMin;
  decoder_ = Decoder();
  output_.assign("AMQP\0\0\11\1", 8);
  sent_ = 0;
  end_of_sent_ = 0;
  open_until_ = now() + connect_timeout_;
  socket_.start();
}

void Connection::work(ChannelUser& user, bool reads) {
  if (state_ == State::closed) return;
  socket_.establish();
  has_more_input_ = false;
  if (socket_.state() == Socket::State::open) {
    // First, since a write to a server that is gone would hide its last words.
    if (reads) read(user);
    write();
    keep_alive(reads);
  }
  note_socket();
}

void Connection::flush() {
  if (state_ == State::closed) return;
  write();
  note_socket();
}

void Connection::note_socket() {
  if (state_ == State::closed) return;
  if (socket_.state() == Socket::State::lost) {
    lose(PublishResult::unreachable, socket_.reason());
  } else if (state_ == State::opening && now() >= open_until_) {
    lose(PublishResult::unreachable, "no answer within the connect time-out");
  }
}

void Connection::wait(Steady until, const Waker& waker, bool reads) {
  if (has_more_input_ && reads) return;
  if (state_ == State::opening) until = std::min(until, open_until_);
  if (heartbeat_ > Millis(0)) {
    until = std::min({until, wrote_at_ + heartbeat_ / 2, heard_at_ + 2 * heartbeat_});
  }
  const auto left = std::chrono::ceil<Millis>(until - now()).count();
  const auto timeout = std::clamp<Millis::rep>(left, 0, std::numeric_limits<int>::max());
  std::array<pollfd, 2> waits{{{waker.descriptor(), POLLIN, 0}, {-1, 0, 0}}};
  if (state_ != State::closed) {
    waits[1] = {socket_.descriptor(), socket_.events(unsent_bytes() > 0, reads), 0};
  }
  static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(timeout)));
  // Told whether asked for or not: nobody who does not read would find out otherwise.
  if (!reads && (waits[1].revents & (POLLERR | POLLHUP)) != 0) give_up("the connection broke");
}

void Connection::close(Steady deadline, Waker& waker, ChannelUser& user) {
  if (state_ == State::open) {
    amqp_connection_close_t goodbye{};
    goodbye.reply_code = AMQP_REPLY_SUCCESS;
    send(0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye);
    for (;;) {
      work(user);
      if (state_ == State::closed || now() >= deadline) break;
      wait(deadline, waker);
      static_cast<void>(waker.take());
    }
  }
  lose(PublishResult::unreachable, "closed");
}

void Connection::take_back(std::uint64_t position) {
  output_.resize(sent_ + static_cast<std::size_t>(position - end_of_sent_));
}

void Connection::lose(PublishResult result, std::string reason) {
  state_ = State::closed;
  heartbeat_ = Millis(0);
  lost_ = {result, "RabbitMQ at " + address_.host_and_port() + ": " + std::move(reason)};
  socket_.close();
}

void Connection::send(amqp_channel_t channel, amqp_method_number_t id, void* method) {
  append_method(output_, channel, id, method);
}

void Connection::write() {
  while (unsent_bytes() > 0) {
    const std::size_t size = socket_.write(std::string_view(output_).substr(sent_));
    if (size == 0) break;
    sent_ += size;
    end_of_sent_ += size;
    wrote_at_ = now();
  }
  if (unsent_bytes() == 0 || sent_ > kSentToKeep) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
}

void Connection::read(ChannelUser& user) {
  for (int i = 0; i < kReadsAtOnce && state_ != State::closed; ++i) {
    const std::size_t size = socket_.read(input_.data(), input_.size());
    if (size == 0) return;
    heard_at_ = now();
    decode({input_.data(), size}, user);
  }
  has_more_input_ = true;
}

void Connection::decode(std::string_view bytes, ChannelUser& user) {
  while (state_ != State::closed) {
    amqp_frame_t frame{};
    switch (decoder_.next(bytes, frame)) {
      case Decoder::Result::frame:
        handle(frame, user);
        break;
      case Decoder::Result::more:
        return;
      case Decoder::Result::broken:
        return lose(PublishResult::unreachable, "what it says is no AMQP 0-9-1");
    }
  }
}

void Connection::handle(const amqp_frame_t& frame, ChannelUser& user) {
  if (frame.frame_type == kProtocolHeader) {
    lose(PublishResult::unreachable, "it speaks another version of AMQP");
  } else if (frame.channel == kChannel) {
    handle_channel(frame, user);
  } else if (frame.frame_type == AMQP_FRAME_METHOD) {
    handle_connection(frame.payload.method, user);
  }
}

void Connection::handle_connection(const amqp_method_t& method, ChannelUser& user) {
  switch (method.id) {
    case AMQP_CONNECTION_START_METHOD:
      return log_in(*static_cast<const amqp_connection_start_t*>(method.decoded));
    case AMQP_CONNECTION_TUNE_METHOD:
      return tune(*static_cast<const amqp_connection_tune_t*>(method.decoded));
    case AMQP_CONNECTION_OPEN_OK_METHOD:
      return open_channel(user);
    case AMQP_CONNECTION_BLOCKED_METHOD:
      blocked_ = true;
      return user.on_blocked();
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_ = false;
      return;
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
      return lose(PublishResult::unreachable, "closed");
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_connection_close_t*>(method.decoded);
      const PublishResult result = classify_refusal(close.reply_code, state_ == State::opening);
      std::string text(to_view(close.reply_text));
      amqp_connection_close_ok_t answer{};
      send(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
      write();
      return lose(result, std::move(text));
    }
    default:
      return lose(PublishResult::unreachable, "it asks for a login that is not known here");
  }
}

void Connection::handle_channel(const amqp_frame_t& frame, ChannelUser& user) {
  if (frame.frame_type != AMQP_FRAME_METHOD) return user.on_frame(frame);
  switch (frame.payload.method.id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
      state_ = State::open;
      return;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(frame.payload.method.decoded);
      const std::string text(to_view(close.reply_text));
      const bool again = user.on_channel_closed(close.reply_code, text);
      if (!again) return lose(PublishResult::unreachable, text);
      amqp_channel_close_ok_t answer{};
      send(kChannel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer);
      return open_channel(user);
    }
    default:
      return user.on_frame(frame);
  }
}

void Connection::log_in(const amqp_connection_start_t& start) {
  // What its answers may be: without these it would not tell why it refuses or waits.
  std::array capabilities = {flag_entry("authentication_failure_close"), flag_entry("basic.nack"),
                             flag_entry("connection.blocked"), flag_entry("consumer_cancel_notify"),
                             flag_entry("publisher_confirms")};
  amqp_table_entry_t able{};
  able.key = to_bytes("capabilities");
  able.value.kind = AMQP_FIELD_KIND_TABLE;
  able.value.value.table = to_table(capabilities);
  std::array properties = {text_entry("product", "waybill"), text_entry("connection_name", name_),
                           able};
  if (to_view(start.mechanisms).find("PLAIN") == std::string_view::npos) {
    return lose(PublishResult::destination_down, "it offers no login by user and password");
  }
  const std::string login = '\0' + address_.user + '\0' + address_.password;
  amqp_connection_start_ok_t answer{};
  answer.client_properties = to_table(properties);
  answer.mechanism = to_bytes("PLAIN");
  answer.response = to_bytes(login);
  answer.locale = to_bytes("en_US");
  send(0, AMQP_CONNECTION_START_OK_METHOD, &answer);
}

void Connection::tune(const amqp_connection_tune_t& offered) {
  const std::size_t most = offered.frame_max == 0 ? kFrameBytesMax : offered.frame_max;
  frame_bytes_max_ = std::clamp(most, kFrameBytesMin, kFrameBytesMax);
  decoder_.allow_frames_of(frame_bytes_max_);
  heartbeat_ = heartbeat_wanted_;
  amqp_connection_tune_ok_t tuned{};
  tuned.channel_max = 1;
  tuned.frame_max = static_cast<std::uint32_t>(frame_bytes_max_);
  tuned.heartbeat = static_cast<std::uint16_t>(heartbeat_wanted_.count());
  send(0, AMQP_CONNECTION_TUNE_OK_METHOD, &tuned);
  amqp_connection_open_t open{};
  open.virtual_host = to_bytes(address_.virtual_host);
  send(0, AMQP_CONNECTION_OPEN_METHOD, &open);
}

void Connection::open_channel(ChannelUser& user) {
  state_ = State::opening;
  open_until_ = now() + connect_timeout_;
  amqp_channel_open_t open{};
  send(kChannel, AMQP_CHANNEL_OPEN_METHOD, &open);
  user.on_channel_open();
}

void Connection::keep_alive(bool reads) {
  if (heartbeat_ == Millis(0) || state_ == State::closed) return;
  if (unsent_bytes() == 0 && now() >= wrote_at_ + heartbeat_ / 2) {
    append_heartbeat(output_);
    write();
  }
  if (reads && now() >= heard_at_ + 2 * heartbeat_) {
    lose(PublishResult::unreachable, "it gave no sign of life");
  }
}

}  // namespace waybill::rabbitmq
