// A scene of its own: one order at each shop, while the network loses the publish, or its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "setting.hpp"

namespace demo {

// What became of one order at one shop.
struct LostAnswer {
  std::string failure;  // B1: the broker never got the message, B2: its answer got lost
  std::string shop;
  int told = 0;               // what the customer was answered: 201 committed, 409 rolled back
  std::size_t publishes = 0;  // by the gate's count, those that it broke off included
  std::vector<std::string> message_ids;  // of what the broker has
  std::vector<std::string> states;       // of the message's row, one after the other
  std::int64_t orders = 0, grants = 0;
  bool as_expected = false;
};

// Plays both failures through a TCP gate before setting.broker, which must be a server; tells each
// step on the standard output. Takes about half a minute.
// `meanwhile` is called again and again while it waits; what it throws ends the scene.
[[nodiscard]] std::vector<LostAnswer> play_lost_answers(const Setting& setting,
                                                        const std::function<void()>& meanwhile);

}  // namespace demo
