#include "waybill/testing/faulty_publisher.hpp"

#include <random>
#include <unordered_set>
#include <vector>

namespace waybill::testing {
namespace {

class FaultyPublisher final : public Publisher, private OutcomeSink {
 public:
  FaultyPublisher(std::unique_ptr<Publisher> inner, FaultOptions faults)
      : inner_(std::move(inner)), faults_(faults), random_(faults.seed) {}

  PublisherTraits traits() const override { return inner_->traits(); }

  std::size_t submit(std::span<const Outgoing> messages) override {
    std::size_t accepted = 0;
    for (const Outgoing& message : messages) {
      if (draw(faults_.lose_publish)) {
        lost_.push_back(message.token);
      } else if (inner_->submit({&message, 1}) == 0) {
        break;
      } else if (draw(faults_.lose_ack)) {
        unheard_.insert(message.token);
      }
      ++accepted;
    }
    return accepted;
  }

  void poll(Steady until, OutcomeSink& sink) override {
    sink_ = &sink;
    if (lost_.empty()) {
      inner_->poll(until, *this);
    } else {
      deliver_lost();
    }
  }

  void wake() noexcept override { inner_->wake(); }

  void close(Steady deadline, OutcomeSink& sink) override {
    sink_ = &sink;
    deliver_lost();
    inner_->close(deadline, *this);
  }

 private:
  bool draw(double probability) { return std::bernoulli_distribution(probability)(random_); }

  void deliver_lost() {
    std::vector<std::uint64_t> lost;
    lost.swap(lost_);
    for (const std::uint64_t token : lost) {
      sink_->on_outcome({token, PublishResult::unknown, Millis(0), "fault: the message was lost"});
    }
  }

  void on_outcome(const PublishOutcome& outcome) override {
    if (unheard_.erase(outcome.token) == 1 && outcome.result == PublishResult::acked) {
      sink_->on_outcome({outcome.token, PublishResult::unknown, Millis(0),
                         "fault: the acknowledgement was lost"});
    } else {
      sink_->on_outcome(outcome);
    }
  }

  const std::unique_ptr<Publisher> inner_;
  const FaultOptions faults_;
  std::mt19937_64 random_;
  std::vector<std::uint64_t> lost_;
  std::unordered_set<std::uint64_t> unheard_;
  OutcomeSink* sink_ = nullptr;  // of the call that runs
};

}  // namespace

std::unique_ptr<Publisher> make_faulty(std::unique_ptr<Publisher> inner, FaultOptions faults) {
  if (faults.lose_publish <= 0 && faults.lose_ack <= 0) return inner;
  return std::make_unique<FaultyPublisher>(std::move(inner), faults);
}

}  // namespace waybill::testing
