// The messages of the tests.
#pragma once

#include <string>
#include <vector>

#include "waybill/message.hpp"

namespace waybill::testing {

inline Message order_placed(const std::string& id, const std::string& content = "{}") {
  Message message;
  message.message_type = "order.placed";
  message.biz_type = "order";
  message.identifier = id;
  message.content = content;
  return message;
}

inline std::vector<Message> orders_placed(const std::vector<std::string>& ids) {
  std::vector<Message> messages;
  for (const std::string& id : ids) messages.push_back(order_placed(id));
  return messages;
}

}  // namespace waybill::testing
