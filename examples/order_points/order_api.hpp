// The HTTP side that both order services share: POST /orders, GET /orders/{id}, GET /health.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "orders.hpp"
#include "waybill/error.hpp"
#include "waybill/http/server.hpp"

namespace order_points {

enum class Placed { committed, duplicate, rolled_back, unknown };

// Called from several threads at the same time; may throw, which is answered with 503.
struct OrderApi {
  std::function<Placed(const PlaceOrder&)> place;
  std::function<std::optional<Order>(std::string_view order_id)> find;
};

// 201 committed, 200 duplicate, 409 rolled_back, 202 unknown, 503 nothing happened or in doubt.
[[nodiscard]] waybill::http::Response answer(const OrderApi& api,
                                             const waybill::http::Request& request);

using waybill::http::problem;

// To be called before any thread is started, so that SIGTERM and SIGINT reach serve() only.
void block_stop_signals();

[[nodiscard]] bool is_told_to_stop_within(std::chrono::seconds time);

// What `open` opens, tried again while its trouble may pass: a service may be started before its
// database. Ends the process when it is told to stop meanwhile.
template <class Open>
auto when_reachable(Open open) {
  for (bool is_told = false;; is_told = true) {
    auto opened = open();
    if (opened) return std::move(*opened);
    const std::string trouble = opened.error().to_string();
    if (opened.error().remedy != waybill::Remedy::retry) throw std::runtime_error(trouble);
    if (!is_told) std::fprintf(stderr, "waiting for the database: %s\n", trouble.c_str());
    if (is_told_to_stop_within(std::chrono::seconds(1))) std::exit(0);
  }
}

// Starts the server, writes its port into `port_file` (if named), waits for SIGTERM or SIGINT and
// stops it. The process's exit code.
[[nodiscard]] int serve(waybill::http::Server& server, const std::string& port_file);

}  // namespace order_points
