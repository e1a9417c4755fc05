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
  std::string base_url;  // "http://host:port" or "https://host:port"; no path; IPv6 in brackets
  Millis timeout{5000};  // for connecting (TLS included), sending and the whole answer, each
  std::size_t response_bytes_max = std::size_t{4} << 20;
  std::string ca_file = {};  // https: PEM file of the trusted CAs; empty = the system's
};

// Sends requests to one server, over one connection.
//
//   Client client({.base_url = "http://127.0.0.1:8080"});
//   const Result<Response> response = client.send({.method = "GET", .target = "/health"});
//
// **Guarantee**: follows no redirects. With https the certificate must be valid for the host and
// signed by a trusted CA. A kept connection that the server closed meanwhile is opened again before
// anything is sent on it. When it closes while a request is on its way, GET, HEAD, OPTIONS, PUT and
// DELETE are sent once more; another method is in doubt.
// **Errors**: retry when surely nothing was sent (no connection); look when the answer was lost,
// too late, too large or no HTTP; fix_call for a URL, request or certificate that cannot be used;
// nothing was sent then. Looking up a host's name takes as long as the system's resolver takes.
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
