#include "orders.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace order_points {
namespace json = boost::json;

template <class Handle>
void create_order_table(Handle database) {
  run_sql(
      database,
      "CREATE TABLE IF NOT EXISTS orders("
      "  order_id VARCHAR(128) PRIMARY KEY, user_id TEXT NOT NULL, amount_cents BIGINT NOT NULL,"
      "  points BIGINT NOT NULL, created_at BIGINT NOT NULL)");
}

template <class Handle>
void create_order(Handle database, const Order& order) {
  const std::string or_nothing = std::is_same_v<Handle, MYSQL*>
                                     ? " ON DUPLICATE KEY UPDATE order_id = orders.order_id"
                                     : " ON CONFLICT(order_id) DO NOTHING";
  Query<Handle> insert(database,
                       "INSERT INTO orders(order_id, user_id, amount_cents, points, created_at)"
                       " VALUES(?, ?, ?, ?, ?)" +
                           or_nothing);
  insert.bind(order.order_id).bind(order.user_id).bind(order.amount_cents);
  insert.bind(order.points()).bind(milliseconds_now()).step();
  if (insert.affected() == 0) throw OrderExists{};
}

template <class Handle>
std::optional<Order> find_order(Handle database, std::string_view order_id) {
  Query<Handle> query(database,
                      "SELECT order_id, user_id, amount_cents FROM orders WHERE order_id = ?");
  if (!query.bind(order_id).step()) return std::nullopt;
  return Order{query.text(0), query.text(1), query.number(2)};
}

template void create_order_table(sqlite3*);
template void create_order_table(PGconn*);
template void create_order_table(MYSQL*);
template void create_order(sqlite3*, const Order&);
template void create_order(PGconn*, const Order&);
template void create_order(MYSQL*, const Order&);
template std::optional<Order> find_order(sqlite3*, std::string_view);
template std::optional<Order> find_order(PGconn*, std::string_view);
template std::optional<Order> find_order(MYSQL*, std::string_view);

waybill::Message order_placed(const Order& order) {
  const json::object content{
      {"order_id", order.order_id}, {"user_id", order.user_id}, {"points", order.points()}};
  waybill::Message message;
  message.message_type = kOrderPlaced;
  message.biz_type = "order";
  message.identifier = order.order_id;
  message.content = json::serialize(content);
  return message;
}

namespace {

waybill::Error bad(std::string text) {
  return {waybill::Remedy::fix_call, std::move(text),
          R"(send {"order_id":"A-17","user_id":"u1","amount_cents":4250})"};
}

bool is_order_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace

waybill::Result<PlaceOrder> parse_place_order(std::string_view text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 4;
  const json::value parsed = json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !parsed.is_object()) return bad("the body is not a JSON object");
  const json::object& body = parsed.get_object();
  const auto* order_id = body.if_contains("order_id");
  const auto* user_id = body.if_contains("user_id");
  const auto* amount = body.if_contains("amount_cents");
  const auto* fail = body.if_contains("fail");
  if (!order_id || !order_id->is_string() || !is_order_id(order_id->get_string()))
    return bad("order_id must be 1 to 128 of A-Z a-z 0-9 . _ -");
  if (!user_id || !user_id->is_string() || user_id->get_string().empty() ||
      user_id->get_string().size() > 128 || !waybill::is_storable_text(user_id->get_string()))
    return bad("user_id must be a text of 1 to 128 bytes");
  if (!amount || !amount->is_int64() || amount->get_int64() < 0 ||
      amount->get_int64() > 1'000'000'000)
    return bad("amount_cents must be a whole number of 0 to 1000000000");
  if (fail && !fail->is_bool()) return bad("fail must be true or false");
  PlaceOrder place;
  place.order = {std::string(order_id->get_string()), std::string(user_id->get_string()),
                 amount->get_int64()};
  place.fail = fail && fail->get_bool();
  return place;
}

std::string to_json(const Order& order) {
  return json::serialize(json::object{{"order_id", order.order_id},
                                      {"user_id", order.user_id},
                                      {"amount_cents", order.amount_cents},
                                      {"points", order.points()}});
}

}  // namespace order_points
