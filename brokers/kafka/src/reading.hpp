// What a subscriber has of one partition: read, delivered, acked, and how far that goes without a
// gap. Decides only; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "waybill/subscriber.hpp"

namespace waybill::kafka {

class Reading {
 public:
  struct Delivered {
    std::int64_t offset = 0;
    const Delivery* delivery = nullptr;  // until it is acked
  };

  // False for an offset before what was read already: the log begins anew (its topic was made
  // again), and so must the reading.
  [[nodiscard]] bool can_add(std::int64_t offset) const noexcept { return offset > read_to_; }

  // A message from the broker.
  void add(std::int64_t offset, Delivery delivery) {
    read_to_ = offset;
    bytes_ += size_of(delivery);
    open_.emplace(offset, Held{std::move(delivery), State::waiting});
    ++waiting_;
  }

  // The first message that waits, now delivered; none if none waits.
  [[nodiscard]] std::optional<Delivered> deliver(std::uint64_t token) {
    if (waiting_ == 0) return std::nullopt;
    auto held = open_.lower_bound(waiting_from_);
    while (held->second.state != State::waiting) ++held;
    held->second.state = State::delivered;
    held->second.delivery.token = token;
    waiting_from_ = held->first + 1;
    --waiting_;
    return Delivered{held->first, &held->second.delivery};
  }

  // Of an offset that was delivered and not settled since.
  void ack(std::int64_t offset) {
    const auto held = open_.find(offset);
    held->second.state = State::acked;
    bytes_ -= size_of(held->second.delivery);
    held->second.delivery = {};
    while (!open_.empty() && open_.begin()->second.state == State::acked) {
      acked_to_ = open_.begin()->first + 1;
      open_.erase(open_.begin());
    }
  }
  void again(std::int64_t offset) {
    open_.at(offset).state = State::waiting;
    ++waiting_;
    if (offset < waiting_from_) waiting_from_ = offset;
  }

  // The offset to commit: behind the messages acked without a gap. None if nothing is new.
  [[nodiscard]] std::optional<std::int64_t> to_commit() const noexcept {
    if (acked_to_ <= committed_) return std::nullopt;
    return acked_to_;
  }
  void committed(std::int64_t offset) noexcept {
    if (offset > committed_) committed_ = offset;
  }

  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::size_t size() const noexcept { return open_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  bool paused = false;

 private:
  enum class State { waiting, delivered, acked };
  struct Held {
    Delivery delivery;  // empty when acked
    State state = State::waiting;
  };
  using Open = std::map<std::int64_t, Held>;

  [[nodiscard]] static std::size_t size_of(const Delivery& delivery) noexcept {
    return delivery.message_id.size() + delivery.message_type.size() + delivery.key.size() +
           delivery.body.size() + delivery.traceparent.size() + sizeof(Held);
  }

  Open open_;  // by offset: what was read and is not behind acked_to_
  std::int64_t read_to_ = -1;
  std::int64_t acked_to_ = 0;
  std::int64_t committed_ = 0;
  std::int64_t waiting_from_ = 0;  // no message before it waits
  std::size_t waiting_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace waybill::kafka
