// A small HTTP/1.1 server with a limit on everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/http/message.hpp"
#include "waybill/log.hpp"

namespace waybill::http {

// PEM files. The key must have no pass phrase.
struct TlsFiles {
  std::string certificate_file;  // the server's certificate first, then the intermediate ones
  std::string key_file;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                             // 0 = a free one
  bool allow_remote = false;                          // else only a loopback address is accepted
  std::uint32_t threads = 2;                          // 1…64; the handler runs on them
  std::uint32_t connections_max = 256;                // more are answered 503 and closed
  std::size_t body_bytes_max = std::size_t{1} << 20;  // larger: 413
  std::uint32_t header_bytes_max = 8 * 1024;          // larger: 431
  Millis read_timeout{10000};  // for a whole request, for the next one to begin, for its answer
  std::optional<TlsFiles> tls = {};  // TLS 1.2 or newer; nothing = plain HTTP. Read by start()
  LogSink log = {};
};

// Called on the server's threads, several at once. An exception, and a response that HTTP cannot
// carry (status outside 200…599, line breaks in a header), becomes a 500 without details.
using Handler = std::function<Response(const Request&)>;

// Serves a function from request to response.
//
//   Server server({.port = 8080}, [](const Request& request) {
//     return Response{.body = R"({"path":")" + request.target + "\"}"};
//   });
//   const Result<std::uint16_t> port = server.start();
//
// **Guarantee**: malformed requests are answered 400 and closed; a request that is too slow is
// closed without an answer; nothing a client sends stops the server.
// **Errors**: start(): the address or the TLS files cannot be used (fix_call), with a hint.
// **Thread safety**: start() and stop() from one thread.
class Server {
 public:
  Server(ServerOptions options, Handler handler);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens; answers the port. Once; after an error it may be called again.
  [[nodiscard]] Result<std::uint16_t> start();

  // Accepts no more, lets running handlers finish and their answers leave, closes every connection.
  void stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace waybill::http
