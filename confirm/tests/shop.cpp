#include "shop.hpp"

#include <sqlite3.h>

#include <stdexcept>

#include "waybill/confirm/batch.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::confirm::testing {
namespace {

using waybill::testing::must;

std::string quoted(const std::string& text) {
  std::string sql = "'";
  for (const char c : text) sql += c == '\'' ? std::string("''") : std::string(1, c);
  return sql + "'";
}

}  // namespace

std::string id_of(const std::string& identifier) {
  return "order/placed/" + identifier;
}

Key key_of(const std::string& consumer, const std::string& id) {
  return {id, consumer, "the secret of key " + id};
}

KeyRing ring_of(std::vector<Key> keys) {
  return must(KeyRing::make(std::move(keys)));
}

Confirmation item(const std::string& identifier, const std::string& consumer, Verdict verdict,
                  std::uint32_t epoch) {
  Confirmation item;
  item.message_id = id_of(identifier);
  item.consumer = consumer;
  item.verdict = verdict;
  item.reason = verdict == Verdict::failed ? "no such account" : "";
  item.epoch = epoch;
  item.sent_at = DatabaseTime(std::chrono::seconds(1'700'000'000));
  return item;
}

Request signed_request(const std::string& body, const Key& key, WallTime at) {
  Request request;
  request.headers.emplace_back("content-type", "application/json");
  request.body = body;
  sign(request, key, "msg_1", at);
  return request;
}

Request signed_request(const std::vector<Confirmation>& items, const Key& key, WallTime at) {
  return signed_request(encode_batch(items), key, at);
}

Shop::Shop(const std::vector<std::string>& required_consumers) {
  options_.path = folder_.file("shop.db");
  options_.write_gap = Millis(0);
  for (const auto part : {sqlite::SchemaPart::producer, sqlite::SchemaPart::consumer}) {
    must(sqlite::apply_schema(options_, part));
  }
  store_ = must(sqlite::open_message_store(options_));
  inbox_ = must(sqlite::open_inbox_store(options_));
  Route route;
  route.message_type = "placed";
  route.destination = "orders";
  route.consumers = required_consumers;
  must(must(store_->open_console())->set_routes({&route, 1}));
}

void Shop::add(const std::string& identifier) {
  query(
      "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES ('placed', "
      "'order', " +
      quoted(identifier) + ", '{}')");
}

std::string Shop::state_of(const std::string& identifier) {
  return query("SELECT state FROM local_message WHERE identifier = " + quoted(identifier)).at(0);
}

std::int64_t Shop::count(const std::string& from_where) {
  return std::stoll(query("SELECT count(*) FROM " + from_where).at(0));
}

void Shop::act(const std::string& identifier, Cause cause) {
  const auto console = must(store_->open_console());
  MessageFilter filter;
  filter.identifier = identifier;
  const MessageRow row = must(console->list(filter)).at(0);
  Mark mark;
  mark.id = row.id;
  mark.from = row.state;
  mark.cause = cause;
  mark.epoch = row.epoch;
  if (must(console->act({&mark, 1}, "tester")).at(0) != Marked::done) {
    throw std::runtime_error("the operator was refused");
  }
}

void Shop::consume(const std::string& message_id, Verdict verdict, const std::string& reason) {
  query(
      "INSERT INTO waybill_inbox (consumer, message_id, verdict, reason, sent_at) VALUES "
      "('points', " +
      quoted(message_id) + ", '" + std::string(to_string(verdict)) + "', " + quoted(reason) +
      ", '2027-01-15 08:00:00.000')");
}

std::vector<std::string> Shop::query(const std::string& sql) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open(options_.path.c_str(), &raw);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database(raw, &sqlite3_close);
  if (opened != SQLITE_OK) throw std::runtime_error("cannot open " + options_.path);
  sqlite3_busy_timeout(raw, 10'000);
  std::vector<std::string> first_column;
  const auto collect = [](void* out, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(out)->emplace_back(values[0] == nullptr ? ""
                                                                                   : values[0]);
    return 0;
  };
  if (sqlite3_exec(raw, sql.c_str(), collect, &first_column, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string(sqlite3_errmsg(raw)) + ": " + sql);
  }
  return first_column;
}

}  // namespace waybill::confirm::testing
