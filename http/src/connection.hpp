// One connection of the server: reads a request, lets the handler answer it, and so on.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <optional>
#include <type_traits>

#include "waybill/http/server.hpp"

namespace waybill::http {

// What the connections share with the server.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::atomic<std::uint32_t> connections{0};
  std::atomic<bool> stopping{false};
};

void log(const Shared& shared, LogLevel level, const std::string& text);

// What the server knows of a connection, plain or TLS.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void start(bool overloaded) = 0;
  // Closes; an answer that is on its way leaves first.
  virtual void cancel() = 0;
};

namespace wire {

using Message = boost::beast::http::request<boost::beast::http::string_body>;
using Answer = boost::beast::http::response<boost::beast::http::string_body>;

// Null, or why a request whose header was parsed is refused with 400. Refuses what a proxy before
// this server could frame in another way.
[[nodiscard]] const char* find_ambiguity(const Message& message);
// The parser counts only what it has not taken apart yet.
[[nodiscard]] bool exceeds_header_limit(const Message& message, const ServerOptions& options);
[[nodiscard]] bool expects_continue(const Message& message);

// The answer to bytes that are no acceptable request; nothing when there is nobody to answer.
[[nodiscard]] std::optional<Response> refusal(const boost::beast::error_code& failed,
                                              const ServerOptions& options);

// Runs the handler; whatever goes wrong there is a 500.
[[nodiscard]] Response run_handler(const Shared& shared, Message message);

[[nodiscard]] Answer encode(Response response, unsigned version, bool keep_alive,
                            bool without_body);

}  // namespace wire

// Kept alive by its pending operation: shared_from_this in every callback. All of them run on the
// stream's strand.
template <class Stream>
class Connection final : public Peer, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  template <class... Arguments>
  explicit Connection(Shared& shared, boost::asio::ip::tcp::socket socket, Arguments&... arguments)
      : shared_(shared),
        buffer_(shared.options.header_bytes_max + kReadBytesMax),
        stream_(std::move(socket), arguments...) {
    ++shared_.connections;
  }
  ~Connection() override { --shared_.connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start(bool overloaded) override {
    boost::asio::dispatch(stream_.get_executor(), [self = this->shared_from_this(), overloaded] {
      self->handshake(overloaded);
    });
  }

  void cancel() override {
    boost::asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (!self->is_answering_) self->lowest().close();
    });
  }

 private:
  using Code = boost::beast::error_code;
  static constexpr bool kTls = !std::is_same_v<Stream, boost::beast::tcp_stream>;
  // More than the parser wants at once; bounds what one chunk header may fill.
  static constexpr std::size_t kReadBytesMax = 64 * 1024;
  // How long a refused client may go on sending. Closing a socket with unread bytes resets the
  // connection, and the client would not see its answer.
  static constexpr Millis kLingerMax{2000};

  boost::beast::tcp_stream& lowest() { return boost::beast::get_lowest_layer(stream_); }

  void handshake([[maybe_unused]] bool overloaded) {
    if constexpr (kTls) {
      lowest().expires_after(shared_.options.read_timeout);
      stream_.async_handshake(boost::asio::ssl::stream_base::server,
                              [self = this->shared_from_this(), overloaded](const Code& failed) {
                                if (!failed) self->begin(overloaded);
                              });
    } else {
      begin(overloaded);
    }
  }

  void begin(bool overloaded) {
    if (!overloaded) return read();
    answer(problem(503, "Too many connections", "try again later"), 11, false, false);
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(shared_.options.body_bytes_max);
    parser_->header_limit(shared_.options.header_bytes_max);
    lowest().expires_after(shared_.options.read_timeout);
    boost::beast::http::async_read_header(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](const Code& failed, std::size_t) {
          self->on_header(failed);
        });
  }

  void on_header(const Code& failed) {
    if (failed) return refuse(failed);
    if (wire::exceeds_header_limit(parser_->get(), shared_.options)) {
      return refuse(boost::beast::http::error::header_limit);
    }
    if (const char* why = wire::find_ambiguity(parser_->get())) {
      return answer(problem(400, "Bad request", why), 11, false, false);
    }
    if (!wire::expects_continue(parser_->get())) return read_body();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    boost::asio::async_write(stream_, boost::asio::buffer(kContinue),
                             [self = this->shared_from_this()](const Code& unsent, std::size_t) {
                               if (!unsent) self->read_body();
                             });
  }

  // Still within the time of the header.
  void read_body() {
    boost::beast::http::async_read(stream_, buffer_, *parser_,
                                   [self = this->shared_from_this()](
                                       const Code& failed, std::size_t) { self->on_body(failed); });
  }

  void on_body(const Code& failed) {
    if (failed) return refuse(failed);
    // Again, for the fields behind the last chunk.
    if (wire::exceeds_header_limit(parser_->get(), shared_.options)) {
      return refuse(boost::beast::http::error::header_limit);
    }
    auto message = parser_->release();
    const unsigned version = message.version();
    const bool keep_alive = message.keep_alive();
    const bool is_head = message.method() == boost::beast::http::verb::head;
    answer(wire::run_handler(shared_, std::move(message)), version, keep_alive, is_head);
  }

  void refuse(const Code& failed) {
    if (auto response = wire::refusal(failed, shared_.options)) {
      answer(std::move(*response), 11, false, false);
    }
  }

  void answer(Response response, unsigned version, bool keep_alive, bool without_body) {
    keep_alive = keep_alive && !shared_.stopping;
    is_answering_ = true;
    answer_ = wire::encode(std::move(response), version, keep_alive, without_body);
    serializer_.emplace(*answer_);
    lowest().expires_after(shared_.options.read_timeout);
    const auto done = [self = this->shared_from_this(), keep_alive](const Code& failed,
                                                                    std::size_t) {
      self->on_answered(failed, keep_alive);
    };
    if (without_body) {
      boost::beast::http::async_write_header(stream_, *serializer_, done);
    } else {
      boost::beast::http::async_write(stream_, *serializer_, done);
    }
  }

  void on_answered(const Code& failed, bool keep_alive) {
    is_answering_ = false;
    if (failed || shared_.stopping) return;
    if (keep_alive) return read();
    lowest().expires_after(std::min(kLingerMax, shared_.options.read_timeout));
    if constexpr (kTls) {
      stream_.async_shutdown([self = this->shared_from_this()](const Code&) { self->linger(); });
    } else {
      linger();
    }
  }

  void linger() {
    Code ignored;
    lowest().socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
    buffer_.clear();
    discard();
  }

  // Until the client closes or the time is over.
  void discard() {
    lowest().async_read_some(buffer_.prepare(kReadBytesMax),
                             [self = this->shared_from_this()](const Code& failed, std::size_t) {
                               if (!failed) self->discard();
                             });
  }

  Shared& shared_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::optional<wire::Answer> answer_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>>
      serializer_;
  bool is_answering_ = false;
  Stream stream_;
};

}  // namespace waybill::http
