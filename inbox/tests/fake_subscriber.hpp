// A broker of a fixed list of copies, whose acknowledgements can outlive a killed process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "consumer_database.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::inbox::testing {

// What the broker remembers: which copies are acked. Shared with forked processes.
class Acks {
 public:
  explicit Acks(std::size_t copies);
  ~Acks();
  Acks(const Acks&) = delete;
  Acks& operator=(const Acks&) = delete;
  [[nodiscard]] std::atomic<bool>& operator[](std::size_t copy) { return acked_[copy]; }
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] bool all() const { return count() == copies_; }

 private:
  std::size_t copies_;
  std::atomic<bool>* acked_;
};

// Delivers every copy that is neither acked nor in this subscriber's hands.
class FakeSubscriber final : public Subscriber {
 public:
  FakeSubscriber(
      std::vector<Delivery> copies, Acks& acks, AtBoundary at_boundary = [](Boundary) {});

  [[nodiscard]] Status receive(Steady until, std::size_t at_most,
                               std::vector<Delivery>& out) override;
  [[nodiscard]] Status settle(std::span<const std::uint64_t> tokens, Settle how) override;
  void wake() noexcept override;

  std::uint32_t settle_failures = 0;   // so many of the next settlements answer an error
  std::uint32_t receive_failures = 0;  // likewise for receive
  std::vector<std::string> given_back;

 private:
  std::vector<Delivery> copies_;
  Acks& acks_;
  AtBoundary at_boundary_;
  std::set<std::uint64_t> in_hand_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
};

// `messages` valid messages, each `copies` times in a row: order.placed, ids order/order.placed/N.
[[nodiscard]] std::vector<Delivery> make_deliveries(std::size_t messages, std::size_t copies = 1);

}  // namespace waybill::inbox::testing
