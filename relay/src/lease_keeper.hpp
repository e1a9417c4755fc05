// Gets, keeps and gives back the lease, by steady time only.
#pragma once

#include <cstdint>
#include <optional>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"
#include "waybill/message_store.hpp"
#include "waybill/relay/engine.hpp"

namespace waybill::relay {

// The holder renews every third of ttl; it may publish until a margin before the ttl after it asked
// for the newest renewal. A taker takes over when the lease stood still for ttl + margin
// between an answer and a later question, or at once when the lease is free.
class LeaseKeeper {
 public:
  explicit LeaseKeeper(Millis ttl) : ttl_(ttl), margin_(ttl / 4) {}

  enum class Step { nothing, look, take, renew };
  // What to ask the store now; at most one question is open at a time.
  [[nodiscard]] Step next(Steady now) noexcept;

  void seen(const LeaseView& view, Steady now);
  void answered(const std::optional<Lease>& lease, Steady now);
  void failed(Remedy remedy, Steady now) noexcept;
  // A judgement found another fence.
  void lost(Steady now) noexcept;

  [[nodiscard]] bool holds() const noexcept { return held_.has_value(); }
  [[nodiscard]] const Lease& held() const noexcept { return *held_; }  // while it holds
  // What a taker compares with, at Step::take.
  [[nodiscard]] const LeaseView& watched() const noexcept { return *watched_; }
  [[nodiscard]] Steady publish_until() const noexcept { return publish_until_; }
  [[nodiscard]] Steady wake_at() const noexcept { return asking_ ? Steady::max() : next_at_; }
  [[nodiscard]] bool asking() const noexcept { return asking_; }

 private:
  const Millis ttl_;
  const Millis margin_;

  std::optional<Lease> held_;
  bool in_doubt_ = false;  // the answer to a renewal was lost: look before counting on
  Steady publish_until_{};

  std::optional<LeaseView> watched_;  // somebody else's, as seen last
  Steady watched_since_{};            // when the answer with it arrived
  bool take_now_ = false;

  bool asking_ = false;
  Step asked_ = Step::nothing;
  Steady asked_at_{};
  Steady next_at_{};
};

}  // namespace waybill::relay
