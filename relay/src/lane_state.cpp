#include "lane_state.hpp"

#include <algorithm>

namespace waybill::relay {

void HeadHistory::note(Steady now, std::int64_t head, Millis spacing, Millis window) {
  if (places_.empty() || now - places_.back().first >= spacing) places_.emplace_back(now, head);
  while (places_.size() > 1 && now - places_[1].first >= window) places_.pop_front();
}

HeldRows::Answer HeldRows::look(std::int64_t id, Steady asked_at, Millis grace) const {
  const auto found = ids_.find(id);
  if (found == ids_.end()) return Answer::unknown;
  return asked_at - found->second >= grace ? Answer::go : Answer::wait;
}

void HeldRows::hold(std::int64_t id, Steady now) {
  if (ids_.emplace(id, now).second) order_.emplace_back(now, id);
}

std::size_t HeldRows::forget_absent(std::int64_t after, std::int64_t until, Steady asked_at,
                                    const std::vector<std::int64_t>& ids) {
  std::size_t forgotten = 0;
  for (auto row = ids_.upper_bound(after); row != ids_.end() && row->first <= until;) {
    const bool absent = !std::binary_search(ids.begin(), ids.end(), row->first);
    if (absent && row->second < asked_at) {
      row = ids_.erase(row);
      ++forgotten;
    } else {
      ++row;
    }
  }
  return forgotten;
}

std::size_t HeldRows::clear() {
  const std::size_t forgotten = ids_.size();
  ids_.clear();
  order_.clear();
  return forgotten;
}

Steady HeldRows::ripe_at(Millis grace) {
  while (!order_.empty()) {
    const auto found = ids_.find(order_.front().second);
    if (found != ids_.end() && found->second == order_.front().first) {
      return found->second + grace;
    }
    order_.pop_front();
  }
  return Steady::max();
}

bool Pace::take(Steady now, std::chrono::nanoseconds interval, Millis burst) {
  if (now < next_at_) return false;
  next_at_ = std::max(next_at_, now - burst) + interval;
  return true;
}

}  // namespace waybill::relay
