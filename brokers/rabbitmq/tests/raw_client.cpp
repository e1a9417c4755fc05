#include "raw_client.hpp"

#include <amqp_tcp_socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace waybill::testing {
namespace {

std::string text(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

amqp_bytes_t bytes(const std::string& text) {
  return {text.size(), const_cast<char*>(text.data())};  // NOLINT
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

amqp_table_entry_t text_header(const char* name, const char* value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(name);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(value);
  return entry;
}

amqp_table_entry_t number_header(const char* name, std::int64_t value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(name);
  entry.value.kind = AMQP_FIELD_KIND_I64;
  entry.value.value.i64 = value;
  return entry;
}

RawClient::RawClient(const std::string& url) : connection_(amqp_new_connection()) {
  std::string parsed = url;
  amqp_connection_info info{};
  amqp_socket_t* const socket = amqp_tcp_socket_new(connection_);
  if (amqp_parse_url(parsed.data(), &info) != AMQP_STATUS_OK ||
      amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK) {
    throw std::runtime_error("cannot connect to RabbitMQ");
  }
  // "amqp://host/" means the default here, and the empty name in rabbitmq-c.
  const char* const virtual_host = *info.vhost == '\0' ? "/" : info.vhost;
  check(amqp_login(connection_, virtual_host, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                   info.password),
        "login");
  amqp_channel_open(connection_, 1);
  check(amqp_get_rpc_reply(connection_), "channel");
}

RawClient::~RawClient() {
  amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(connection_);
}

void RawClient::check(amqp_rpc_reply_t reply, const std::string& what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw std::runtime_error(what + " failed");
}

void RawClient::declare_queue(const std::string& queue,
                              const std::map<std::string, std::string>& arguments, bool durable) {
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [name, value] : arguments) {
    entries.push_back(is_number(value) ? number_header(name.c_str(), std::stoll(value))
                                       : text_header(name.c_str(), value.c_str()));
  }
  amqp_queue_declare(connection_, 1, bytes(queue), 0, durable ? 1 : 0, 0, 0,
                     {static_cast<int>(entries.size()), entries.data()});
  check(amqp_get_rpc_reply(connection_), "declare " + queue);
}

void RawClient::delete_queue(const std::string& queue) {
  amqp_queue_delete(connection_, 1, bytes(queue), 0, 0);
  check(amqp_get_rpc_reply(connection_), "delete " + queue);
}

void RawClient::delete_exchange(const std::string& exchange) {
  amqp_exchange_delete(connection_, 1, bytes(exchange), 0);
  check(amqp_get_rpc_reply(connection_), "delete " + exchange);
}

void RawClient::publish(const std::string& queue, const std::string& body,
                        std::vector<amqp_table_entry_t> headers, std::string content_type) {
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG;
  properties.content_type = bytes(content_type);
  properties.headers = {static_cast<int>(headers.size()), headers.data()};
  if (amqp_basic_publish(connection_, 1, amqp_empty_bytes, bytes(queue), 0, 0, &properties,
                         bytes(body)) != AMQP_STATUS_OK) {
    throw std::runtime_error("publish to " + queue + " failed");
  }
}

std::optional<RawMessage> RawClient::get(const std::string& queue) {
  const amqp_rpc_reply_t reply = amqp_basic_get(connection_, 1, bytes(queue), 1);
  check(reply, "get " + queue);
  if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return std::nullopt;
  amqp_message_t message{};
  check(amqp_read_message(connection_, 1, &message, 0), "read " + queue);
  RawMessage raw;
  raw.body = text(message.body);
  raw.delivery_mode = message.properties.delivery_mode;
  raw.message_id = text(message.properties.message_id);
  raw.content_type = text(message.properties.content_type);
  for (int i = 0; i < message.properties.headers.num_entries; ++i) {
    const amqp_table_entry_t& entry = message.properties.headers.entries[i];
    raw.headers[text(entry.key)] = entry.value.kind == AMQP_FIELD_KIND_UTF8
                                       ? text(entry.value.value.bytes)
                                       : std::to_string(entry.value.value.i64);
  }
  amqp_destroy_message(&message);
  return raw;
}

}  // namespace waybill::testing
