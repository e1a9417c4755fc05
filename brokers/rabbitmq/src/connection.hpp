// One connection to a server with one channel: it opens, keeps alive and tells how it was lost.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "frames.hpp"
#include "socket.hpp"
#include "waker.hpp"
#include "waybill/clock.hpp"
#include "waybill/publisher.hpp"

namespace waybill::rabbitmq {

// What somebody does with the channel. Called inside Connection::work().
class ChannelUser {
 public:
  // The channel opens: append what it shall do first; it is done before any answer is read.
  virtual void on_channel_open() = 0;
  virtual void on_frame(const amqp_frame_t& frame) = 0;  // of the channel
  // The server closed it. True to open it again at once, false to give up the connection.
  [[nodiscard]] virtual bool on_channel_closed(std::uint16_t code, const std::string& text) = 0;
  virtual void on_blocked() {}  // the server reads no publishes any more

 protected:
  ~ChannelUser() = default;
};

struct Lost {
  // destination_down when the server knows us and refuses, else unreachable.
  PublishResult result = PublishResult::unreachable;
  std::string reason;
};

// **Thread safety**: confined to one thread.
class Connection {
 public:
  enum class State { closed, opening, open };

  // A heartbeat of 0 asks for none. `context` is null without TLS.
  Connection(const Address& address, SSL_CTX* context, bool verify_name, Millis connect_timeout,
             std::chrono::seconds heartbeat, std::string name);

  void open();
  // All that can be done without waiting: connect, write, read, keep alive. With `reads` false,
  // nothing is taken from the server.
  void work(ChannelUser& user, bool reads = true);
  // Writes only: what it would read may call for more, which wait() must then not sleep over.
  void flush();
  // Sleeps until there is something to do, `until` or a wake-up.
  void wait(Steady until, const Waker& waker, bool reads = true);
  // Says goodbye and works until it was answered or `deadline`.
  void close(Steady deadline, Waker& waker, ChannelUser& user);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const Lost& lost() const noexcept { return lost_; }  // when it is closed
  [[nodiscard]] bool is_blocked() const noexcept { return blocked_; }
  [[nodiscard]] std::size_t frame_bytes_max() const noexcept { return frame_bytes_max_; }

  // What waits to be written; append whole frames.
  [[nodiscard]] std::string& output() noexcept { return output_; }
  // Positions in the stream of all that was ever appended to output(): its end, and how much of it
  // may have reached the server.
  [[nodiscard]] std::uint64_t end() const noexcept { return end_of_sent_ + output_.size() - sent_; }
  [[nodiscard]] std::uint64_t maybe_sent() const noexcept {
    return end_of_sent_ + socket_.undecided();
  }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return output_.size() - sent_; }
  void give_up(std::string reason) { lose(PublishResult::unreachable, std::move(reason)); }
  // Takes back what was appended behind a position that was surely not sent.
  void take_back(std::uint64_t position);

 private:
  void write();
  void read(ChannelUser& user);
  void decode(std::string_view bytes, ChannelUser& user);
  void handle(const amqp_frame_t& frame, ChannelUser& user);
  void handle_connection(const amqp_method_t& method, ChannelUser& user);
  void handle_channel(const amqp_frame_t& frame, ChannelUser& user);
  void log_in(const amqp_connection_start_t& start);
  void tune(const amqp_connection_tune_t& offered);
  void open_channel(ChannelUser& user);
  void keep_alive(bool reads);
  void note_socket();
  void send(amqp_channel_t channel, amqp_method_number_t id, void* method);
  void lose(PublishResult result, std::string reason);

  const Address& address_;
  SSL_CTX* const context_;
  const Millis connect_timeout_;
  const std::chrono::seconds heartbeat_wanted_;
  const std::string name_;
  Socket socket_;
  Decoder decoder_;
  std::vector<char> input_;
  bool has_more_input_ = false;  // perhaps, where poll() cannot see it
  State state_ = State::closed;
  Lost lost_;
  bool blocked_ = false;
  std::size_t frame_bytes_max_ = 0;
  Millis heartbeat_{0};
  Steady open_until_{};
  Steady heard_at_{};
  Steady wrote_at_{};

  std::string output_;
  std::size_t sent_ = 0;  // of output_
  std::uint64_t end_of_sent_ = 0;
};

}  // namespace waybill::rabbitmq
