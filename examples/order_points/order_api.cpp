#include "order_api.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>

namespace order_points {
namespace http = waybill::http;
namespace {

http::Response reply(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

http::Response tell(Placed placed) {
  switch (placed) {
    case Placed::committed:
      return reply(201, R"({"outcome":"committed"})");
    case Placed::duplicate:
      return reply(200, R"({"outcome":"duplicate"})");
    case Placed::rolled_back:
      return reply(409, R"({"outcome":"rolled_back"})");
    case Placed::unknown:
      break;
  }
  return reply(202, R"({"outcome":"unknown"})");
}

http::Response place(const OrderApi& api, const http::Request& request, bool fail) {
  waybill::Result<PlaceOrder> parsed = parse_place_order(request.body);
  if (!parsed) return problem(400, parsed.error().text, parsed.error().hint);
  parsed->fail = parsed->fail || fail;
  return tell(api.place(*parsed));
}

http::Response route(const OrderApi& api, const http::Request& request) {
  constexpr std::string_view kOrders = "/orders/";
  if (request.target == "/health" && request.method == "GET")
    return reply(200, R"({"status":"up"})");
  if (request.target == "/orders" || request.target == "/orders?rollback=1") {
    if (request.method != "POST")
      return problem(405, "method not allowed", "use POST", {{"Allow", "POST"}});
    return place(api, request, request.target.back() == '1');
  }
  if (request.target.starts_with(kOrders) && request.method == "GET") {
    const std::optional<Order> order = api.find(request.target.substr(kOrders.size()));
    return order ? reply(200, to_json(*order)) : problem(404, "no such order", "");
  }
  return problem(404, "no such resource", "POST /orders, GET /orders/{id}, GET /health");
}

bool write_port(const std::string& port_file, std::uint16_t port) {
  if (port_file.empty()) return true;
  const std::string unfinished = port_file + ".new";
  std::ofstream(unfinished) << port << '\n';
  return std::rename(unfinished.c_str(), port_file.c_str()) == 0;
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

http::Response answer(const OrderApi& api, const http::Request& request) {
  try {
    return route(api, request);
  } catch (const std::exception& error) {
    return problem(503, "not placed, or in doubt; repeat with the same order_id", error.what());
  }
}

void block_stop_signals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

bool is_told_to_stop_within(std::chrono::seconds time) {
  const sigset_t signals = stop_signals();
  const timespec wait{time.count(), 0};
  return ::sigtimedwait(&signals, nullptr, &wait) > 0;
}

int serve(http::Server& server, const std::string& port_file) {
  const waybill::Result<std::uint16_t> port = server.start();
  if (!port) {
    std::fprintf(stderr, "cannot serve: %s\n", port.error().to_string().c_str());
    return 1;
  }
  if (!write_port(port_file, *port)) {
    std::fprintf(stderr, "cannot write the port file %s\n", port_file.c_str());
    return 1;
  }
  std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(*port));
  std::fflush(stdout);
  const sigset_t signals = stop_signals();
  int received = 0;
  sigwait(&signals, &received);
  server.stop();
  return 0;
}

}  // namespace order_points
