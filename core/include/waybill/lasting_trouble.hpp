// Which lines about trouble that lasts are worth a log.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "waybill/clock.hpp"

namespace waybill {

// Keeps trouble that lasts from filling a log: it is told when it is new, and every ten minutes.
// **Thread safety**: confined to one thread.
class LastingTrouble {
 public:
  [[nodiscard]] bool is_to_be_told(std::string_view text, Steady now) {
    if (text == text_ && now < told_at_ + kRemindAfter) return false;
    text_ = text;
    told_at_ = now;
    return true;
  }
  void end() { text_.clear(); }

 private:
  static constexpr std::chrono::minutes kRemindAfter{10};
  std::string text_;
  Steady told_at_{};
};

}  // namespace waybill
