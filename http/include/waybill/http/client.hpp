// A small HTTP/1.1 client that keeps its connection.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/http/message.hpp"

namespace waybill::http {

struct ClientOptions {
  std::string base_url;  // "http://host:port"; no path
  Millis timeout{5000};  // for connecting, sending and the whole answer, each
  std::size_t response_bytes_max = std::size_t{4} << 20;
};

// **Guarantee**: follows no redirects. A kept connection that the server had closed before anything
// of the answer came is opened again, once.
// **Errors**: retry when surely nothing was sent (no connection); look when the answer was lost;
// fix_call for a URL that cannot be used.
// **Thread safety**: one thread at a time.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A status of any kind is a Response.
  [[nodiscard]] Result<Response> send(const Request& request);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace waybill::http
