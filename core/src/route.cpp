#include "waybill/route.hpp"

#include <algorithm>

#include "waybill/message.hpp"

namespace waybill {
namespace {

constexpr std::size_t kDestinationBytesMax = 255;
constexpr std::size_t kConsumerBytesMax = 64;
constexpr std::size_t kConsumersMax = 32;
constexpr Millis kConfirmDeadlineMin{100};
constexpr Millis kConfirmDeadlineMax = std::chrono::hours(24);

bool is_consumer_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kConsumerBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

Error refuse(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

Status check_consumers(const std::vector<std::string>& consumers) {
  if (consumers.size() > kConsumersMax) {
    return refuse(std::to_string(consumers.size()) + " consumers", "at most 32 a message type");
  }
  for (auto name = consumers.begin(); name != consumers.end(); ++name) {
    if (!is_consumer_name(*name)) {
      return refuse("consumer name '" + *name + "' cannot be used",
                    "1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    if (std::find(consumers.begin(), name, *name) != name) {
      return refuse("consumer '" + *name + "' is named twice", "name each consumer once");
    }
  }
  return {};
}

}  // namespace

std::string join_consumers(const std::vector<std::string>& consumers) {
  std::string joined;
  for (const auto& name : consumers) {
    if (!joined.empty()) joined += ',';
    joined += name;
  }
  return joined;
}

Result<std::vector<std::string>> parse_consumers(std::string_view joined) {
  std::vector<std::string> consumers;
  while (!joined.empty()) {
    const std::size_t comma = std::min(joined.find(','), joined.size());
    consumers.emplace_back(joined.substr(0, comma));
    if (comma + 1 == joined.size()) consumers.emplace_back();  // a trailing comma names nobody
    joined.remove_prefix(std::min(comma + 1, joined.size()));
  }
  if (Status checked = check_consumers(consumers); !checked) return checked.error();
  return consumers;
}

Status validate(const Route& route) {
  if (route.message_type.empty() || !is_storable_text(route.message_type) ||
      count_characters(route.message_type) > kMessageTypeCharsMax) {
    return refuse("message type '" + route.message_type + "' cannot be routed",
                  "1 to 128 characters of UTF-8, or * for every type without a route");
  }
  if (route.destination.empty() || !is_storable_text(route.destination) ||
      route.destination.size() > kDestinationBytesMax) {
    return refuse("route of '" + route.message_type + "' has no usable destination",
                  "name a topic or exchange by 1 to 255 bytes");
  }
  if (Status checked = check_consumers(route.consumers); !checked) return checked;
  if (route.confirm_deadline < kConfirmDeadlineMin ||
      route.confirm_deadline > kConfirmDeadlineMax) {
    return refuse("confirm deadline of '" + route.message_type + "' is " +
                      std::to_string(route.confirm_deadline.count()) + " ms",
                  "100 ms to 24 h");
  }
  if (route.ordering != Ordering::none && route.dispatch != Dispatch::relay) {
    return refuse(
        "'" + route.message_type + "' is ordered and asks for dispatch " +
            std::string(to_string(route.dispatch)),
        "ordered types leave through the relay only: use dispatch relay or ordering none");
  }
  return {};
}

const Route* find_route(const std::vector<Route>& routes, std::string_view message_type) noexcept {
  const Route* fallback = nullptr;
  for (const auto& route : routes) {
    if (route.message_type == message_type) return &route;
    if (route.message_type == "*") fallback = &route;
  }
  return fallback;
}

}  // namespace waybill
