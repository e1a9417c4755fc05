// A foreign client: rabbitmq-c with its own socket, as other programs use it.
#pragma once

#include <amqp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace waybill::testing {

struct RawMessage {
  std::map<std::string, std::string> headers;
  std::string message_id;
  std::string content_type;
  int delivery_mode = 0;
  std::string body;
};

// All members throw on trouble.
class RawClient {
 public:
  explicit RawClient(const std::string& url);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Durable unless told otherwise; with arguments of text or, where they are digits, of numbers.
  void declare_queue(const std::string& queue, const std::map<std::string, std::string>& arguments,
                     bool durable = true);
  void delete_queue(const std::string& queue);
  void delete_exchange(const std::string& exchange);
  void publish(const std::string& queue, const std::string& body,
               std::vector<amqp_table_entry_t> headers = {}, std::string content_type = {});
  [[nodiscard]] std::optional<RawMessage> get(const std::string& queue);

 private:
  void check(amqp_rpc_reply_t reply, const std::string& what);

  amqp_connection_state_t connection_;
};

[[nodiscard]] amqp_table_entry_t text_header(const char* name, const char* value);
[[nodiscard]] amqp_table_entry_t number_header(const char* name, std::int64_t value);

}  // namespace waybill::testing
