// Orders: their table, and the message that tells of one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "database.hpp"
#include "waybill/error.hpp"
#include "waybill/message.hpp"

namespace order_points {

inline constexpr std::string_view kOrderPlaced = "order.placed";
inline constexpr std::string_view kTopic = "orders";
inline constexpr std::string_view kPointsConsumer = "points";

struct Order {
  std::string order_id;  // 1…128 of [A-Za-z0-9._-]
  std::string user_id;   // 1…128 bytes
  std::int64_t amount_cents = 0;

  // One point per full 1.00.
  [[nodiscard]] std::int64_t points() const noexcept { return amount_cents / 100; }
};

// Thrown by create_order: the order was placed before.
struct OrderExists {};

// Thrown after everything was written, to show a business rule that fails late.
struct CreditRefused {};

// For sqlite3*, PGconn* and MYSQL*.
template <class Handle>
void create_order_table(Handle database);
template <class Handle>
void create_order(Handle database, const Order& order);
template <class Handle>
[[nodiscard]] std::optional<Order> find_order(Handle database, std::string_view order_id);

// The message of type order.placed; its identifier is the order's.
[[nodiscard]] waybill::Message order_placed(const Order& order);

// What a client asked for.
struct PlaceOrder {
  Order order;
  bool fail = false;
};
[[nodiscard]] waybill::Result<PlaceOrder> parse_place_order(std::string_view json);
[[nodiscard]] std::string to_json(const Order& order);

}  // namespace order_points
