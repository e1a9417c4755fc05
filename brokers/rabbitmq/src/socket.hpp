// A TCP connection, with TLS or without, that never blocks.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "address.hpp"
#include "waybill/brokers/rabbitmq.hpp"

namespace waybill::rabbitmq {

template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* handle) const noexcept {
    kDestroy(handle);
  }
};

template <class T, auto kDestroy>
using Owned = std::unique_ptr<T, Destroy<kDestroy>>;

using TlsContext = Owned<SSL_CTX, SSL_CTX_free>;

// **Errors**: `fix_call` for files that cannot be read or do not fit together.
[[nodiscard]] Result<TlsContext> make_tls_context(const Tls& tls);

class Socket {
 public:
  enum class State { connecting, open, lost };

  // `context` is null without TLS, and outlives the socket.
  Socket(const Address& address, SSL_CTX* context, bool verify_name);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Resolves the host, which may block, and begins to connect.
  void start();
  // Goes on connecting: to the next address of the host when one refuses, then with TLS.
  void establish();
  void close() noexcept { disconnect(); }

  [[nodiscard]] State state() const noexcept { return state_; }
  // Why it is lost.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

  // 0: nothing just now, or lost.
  [[nodiscard]] std::size_t read(char* to, std::size_t size_max);
  [[nodiscard]] std::size_t write(std::string_view bytes);
  // How many bytes of those given to write() may have left although it did not say so.
  [[nodiscard]] std::size_t undecided() const noexcept { return undecided_; }

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  // What poll() shall wait for, with `has_output` to write and `reads`.
  [[nodiscard]] short events(bool has_output, bool reads) const noexcept;

 private:
  struct Target;

  void try_next();
  void begin_tls();
  void lose(std::string reason);
  [[nodiscard]] std::string tls_reason(int result) const;
  // After an operation of TLS that did not succeed.
  void note_tls(int result);
  void disconnect() noexcept;  // is lost then

  const Address& address_;
  SSL_CTX* const context_;
  const bool verify_name_;
  State state_ = State::lost;
  std::string reason_ = "not connected yet";
  std::vector<Target> targets_;  // addresses that remain to be tried
  int descriptor_ = -1;
  bool tcp_open_ = false;
  Owned<SSL, SSL_free> tls_;
  bool tls_wants_write_ = false;
  std::size_t undecided_ = 0;
};

}  // namespace waybill::rabbitmq
