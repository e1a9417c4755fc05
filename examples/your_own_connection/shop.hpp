// The message that all programs of this folder write beside their order.
#pragma once

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "waybill/outbox/outbox.hpp"

inline waybill::Message order_placed(const std::string& order_id) {
  waybill::Message message;
  message.message_type = "order.placed";
  message.biz_type = "order";
  message.identifier = order_id;
  message.content = R"({"order_id":")" + order_id + R"(","points":42})";
  return message;
}

// usage: PROGRAM DATABASE ORDER
template <class PlaceOrder>
int run(int argc, char** argv, PlaceOrder place_order) {
  if (argc != 3) return 2;
  try {
    place_order(std::string(argv[1]), std::string(argv[2]));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
