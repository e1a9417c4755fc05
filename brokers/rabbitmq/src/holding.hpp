// What a subscriber holds of one channel: waiting, delivered, until it is acked. Decides only; no
// I/O.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "waybill/subscriber.hpp"

namespace waybill::rabbitmq {

class Holding {
 public:
  struct Ack {
    std::uint64_t tag = 0;
    bool multiple = false;  // and all before it
  };

  void add(std::uint64_t tag, Delivery delivery) {
    bytes_ += size_of(delivery);
    held_.emplace(tag, Held{std::move(delivery), true});
    ++waiting_;
    if (tag < waiting_from_) waiting_from_ = tag;
  }

  // The first message that waits, now delivered; null if none waits. It lives until it is acked.
  [[nodiscard]] const Delivery* deliver() {
    if (waiting_ == 0) return nullptr;
    auto held = held_.lower_bound(waiting_from_);
    while (!held->second.waits) ++held;
    held->second.waits = false;
    waiting_from_ = held->first + 1;
    --waiting_;
    return &held->second.delivery;
  }

  // True if it was delivered and not settled since.
  [[nodiscard]] bool is_delivered(std::uint64_t tag) const {
    const auto held = held_.find(tag);
    return held != held_.end() && !held->second.waits;
  }

  // To be delivered again, before what is behind it.
  void again(std::uint64_t tag) {
    held_.at(tag).waits = true;
    ++waiting_;
    waiting_from_ = std::min(waiting_from_, tag);
  }

  // Forgets them; answers what to tell the server. `tags` are held.
  [[nodiscard]] std::vector<Ack> ack(std::vector<std::uint64_t> tags) {
    for (const std::uint64_t tag : tags) {
      const auto held = held_.find(tag);
      bytes_ -= size_of(held->second.delivery);
      if (held->second.waits) --waiting_;
      held_.erase(held);
    }
    std::sort(tags.begin(), tags.end());
    // Nothing before the first that is held still waits for an ack.
    const auto gap = held_.empty()
                         ? tags.end()
                         : std::lower_bound(tags.begin(), tags.end(), held_.begin()->first);
    std::vector<Ack> acks;
    if (gap != tags.begin()) acks.push_back({*std::prev(gap), true});
    for (auto tag = gap; tag != tags.end(); ++tag) acks.push_back({*tag, false});
    return acks;
  }

  void clear() { *this = {}; }

  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Held {
    Delivery delivery;
    bool waits = false;
  };

  [[nodiscard]] static std::size_t size_of(const Delivery& delivery) noexcept {
    return delivery.message_id.size() + delivery.message_type.size() + delivery.key.size() +
           delivery.body.size() + delivery.traceparent.size() + sizeof(Held);
  }

  std::map<std::uint64_t, Held> held_;  // by delivery tag
  std::uint64_t waiting_from_ = 0;      // no message before it waits
  std::size_t waiting_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace waybill::rabbitmq
