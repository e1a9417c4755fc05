// The HTTP side that both order services share: POST /orders, GET /orders/{id}, GET /health.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "orders.hpp"
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

// Starts the server, writes its port into `port_file` (if named), waits for SIGTERM or SIGINT and
// stops it. The process's exit code.
[[nodiscard]] int serve(waybill::http::Server& server, const std::string& port_file);

}  // namespace order_points
