#include "lease_keeper.hpp"

#include <algorithm>

#include "waybill/test_points.hpp"

namespace waybill::relay {
namespace {

constexpr int kRenewalsPerTtl = 3;
constexpr int kLooksPerTtl = 8;

}  // namespace

LeaseKeeper::Step LeaseKeeper::next(Steady now) noexcept {
  if (asking_ || now < next_at_) return Step::nothing;
  asking_ = true;
  asked_at_ = now;
  if (held_ && !in_doubt_) {
    asked_ = Step::renew;
  } else if (take_now_) {
    asked_ = Step::take;
  } else {
    asked_ = Step::look;
  }
  return asked_;
}

void LeaseKeeper::seen(const LeaseView& view, Steady now) {
  asking_ = false;
  if (held_) {
    in_doubt_ = false;
    if (view.fence != held_->fence || view.holder != held_->holder) return lost(now);
    held_->counter = view.counter;
    next_at_ = now;
    return;
  }
  const bool stood_still = watched_ == view;
  if (!stood_still) {
    watched_ = view;
    watched_since_ = now;
  }
  if (WAYBILL_MUTATION("impatient_taker")) watched_since_ = asked_at_ - ttl_ - margin_;
  take_now_ = view.holder.empty() || (stood_still && asked_at_ - watched_since_ >= ttl_ + margin_);
  next_at_ = take_now_ ? now : now + ttl_ / kLooksPerTtl;
}

void LeaseKeeper::answered(const std::optional<Lease>& lease, Steady now) {
  asking_ = false;
  take_now_ = false;
  if (!lease) return lost(now);
  held_ = lease;
  watched_.reset();
  publish_until_ = asked_at_ + ttl_ - margin_;
  if (WAYBILL_MUTATION("publishes_without_lease")) publish_until_ += 10 * ttl_;
  next_at_ = asked_at_ + ttl_ / kRenewalsPerTtl;
}

void LeaseKeeper::failed(Remedy remedy, Steady now) noexcept {
  asking_ = false;
  take_now_ = false;
  if (held_ && remedy == Remedy::look) in_doubt_ = true;
  next_at_ = now + std::min(ttl_ / kLooksPerTtl, Millis(100));
}

void LeaseKeeper::lost(Steady now) noexcept {
  held_.reset();
  in_doubt_ = false;
  watched_.reset();
  take_now_ = false;
  publish_until_ = Steady{};
  next_at_ = now + ttl_ / kLooksPerTtl;
}

}  // namespace waybill::relay
