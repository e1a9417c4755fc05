// How far a subscriber has read and settled in one partition that it owns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>

namespace waybill::embedded {

struct Reading {
  Reading(std::uint64_t owner_fence, std::int64_t cursor)
      : fence(owner_fence), settled(cursor), read_to(cursor) {}

  void ack(std::int64_t position) {
    const auto delivered = open.find(position);
    if (delivered != open.end()) delivered->second = true;
    again.erase(position);
  }

  // Where the cursor may stand: behind the acked messages at the head.
  [[nodiscard]] std::int64_t acked_to() const {
    std::int64_t cursor = settled;
    for (const auto& [position, acked] : open) {
      if (!acked) break;
      cursor = position;
    }
    return cursor;
  }

  void settle_to(std::int64_t cursor) {
    settled = cursor;
    open.erase(open.begin(), open.upper_bound(cursor));
  }

  // True while somebody still works on a delivery.
  [[nodiscard]] bool is_busy() const {
    return std::any_of(open.begin(), open.end(), [](const auto& entry) { return !entry.second; });
  }

  std::uint64_t fence;
  std::int64_t settled;               // the cursor as stored
  std::int64_t read_to;               // the last position that was delivered
  std::map<std::int64_t, bool> open;  // delivered behind `settled`: position → acked
  std::set<std::int64_t> again;       // to be delivered again, before anything behind them
};

}  // namespace waybill::embedded
