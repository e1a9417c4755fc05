#include "fake_subscriber.hpp"

#include <sys/mman.h>

#include <new>
#include <stdexcept>

namespace waybill::inbox::testing {

Acks::Acks(std::size_t copies) : copies_(copies) {
  void* shared = mmap(nullptr, copies * sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::runtime_error("mmap failed");
  acked_ = static_cast<std::atomic<bool>*>(shared);
  for (std::size_t i = 0; i < copies; ++i) new (&acked_[i]) std::atomic<bool>(false);
}

Acks::~Acks() {
  munmap(acked_, copies_ * sizeof(std::atomic<bool>));
}

std::size_t Acks::count() const {
  std::size_t acked = 0;
  for (std::size_t i = 0; i < copies_; ++i) acked += acked_[i] ? 1U : 0U;
  return acked;
}

FakeSubscriber::FakeSubscriber(std::vector<Delivery> copies, Acks& acks, AtBoundary at_boundary)
    : copies_(std::move(copies)), acks_(acks), at_boundary_(std::move(at_boundary)) {}

Status FakeSubscriber::receive(Steady until, std::size_t at_most, std::vector<Delivery>& out) {
  if (receive_failures > 0) {
    --receive_failures;
    return Error{Remedy::retry, "the test said so", ""};
  }
  for (const Delivery& copy : copies_) {
    if (out.size() >= at_most) break;
    if (acks_[copy.token] || in_hand_.contains(copy.token)) continue;
    in_hand_.insert(copy.token);
    out.push_back(copy);
  }
  if (!out.empty()) return {};
  std::unique_lock lock(mutex_);
  wake_.wait_until(lock, until, [this] { return woken_; });
  woken_ = false;
  return {};
}

Status FakeSubscriber::settle(std::span<const std::uint64_t> tokens, Settle how) {
  if (settle_failures > 0) {
    --settle_failures;
    return Error{Remedy::retry, "the test said so", ""};
  }
  at_boundary_(Boundary::before_settle);
  for (const std::uint64_t token : tokens) {
    in_hand_.erase(token);
    if (how == Settle::ack) {
      acks_[token] = true;
    } else {
      given_back.push_back(copies_.at(token).message_id);
    }
  }
  at_boundary_(Boundary::after_settle);
  return {};
}

void FakeSubscriber::wake() noexcept {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  wake_.notify_all();
}

std::vector<Delivery> make_deliveries(std::size_t messages, std::size_t copies) {
  std::vector<Delivery> deliveries;
  for (std::size_t i = 0; i < messages * copies; ++i) {
    Delivery delivery;
    delivery.token = i;
    delivery.message_type = "order.placed";
    delivery.message_id = "order/order.placed/" + std::to_string(i / copies);
    delivery.body = "{}";
    delivery.epoch = 1;
    delivery.sent_at = DatabaseTime(std::chrono::seconds(1'700'000'000 + i));
    deliveries.push_back(std::move(delivery));
  }
  return deliveries;
}

}  // namespace waybill::inbox::testing
