#include "waybill/testing/faulty_publisher.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waybill::testing {
namespace {

enum class Fault { none, refuse, lose_publish, cut, lose_ack, delay };

class FaultyPublisher final : public Publisher, private OutcomeSink {
 public:
  FaultyPublisher(std::unique_ptr<Publisher> inner, FaultOptions faults)
      : inner_(std::move(inner)), faults_(std::move(faults)), random_(faults_.seed) {}

  PublisherTraits traits() const override {
    PublisherTraits traits = inner_->traits();
    traits.ordered_window = false;
    return traits;
  }

  std::size_t submit(std::span<const Outgoing> messages) override {
    const std::size_t window_max = inner_->traits().window_max;
    std::size_t accepted = 0;
    for (const Outgoing& message : messages) {
      if (closed_ || faults_in_flight_.size() + held_.size() >= window_max) break;
      const Fault fault = next_ ? *next_ : draw(message);
      next_.reset();
      if (reaches_broker(fault) && inner_->submit({&message, 1}) == 0) {
        next_ = fault;  // drawn for this message, which comes again
        break;
      }
      faults_in_flight_.emplace(message.token, fault);
      if (!reaches_broker(fault))
        hold({message.token, PublishResult::unknown, Millis(0), {}}, Steady{});
      ++accepted;
    }
    return accepted;
  }

  void poll(Steady until, OutcomeSink& sink) override {
    for (;;) {
      if (deliver(sink, std::chrono::steady_clock::now()) > 0) return;
      const Steady pause_end = std::min(until, next_due());
      const std::size_t held_before = held_.size();
      inner_->poll(pause_end, *this);
      const Steady now = std::chrono::steady_clock::now();
      if (deliver(sink, now) > 0 || now >= until) return;
      // Nothing came and it was not time yet: somebody called wake().
      if (held_.size() == held_before && now < pause_end) return;
    }
  }

  void wake() noexcept override { inner_->wake(); }

  void close(Steady deadline, OutcomeSink& sink) override {
    closed_ = true;
    inner_->close(deadline, *this);
    deliver(sink, Steady::max());
  }

 private:
  struct Held {
    std::uint64_t token = 0;
    PublishResult result = PublishResult::unknown;
    Millis retry_after{0};
    std::string reason;
    Steady due{};
  };

  static bool reaches_broker(Fault fault) {
    return fault == Fault::none || fault == Fault::lose_ack || fault == Fault::delay;
  }

  Fault draw(const Outgoing& message) {
    const auto hits = [&](double probability) {
      return std::bernoulli_distribution(std::clamp(probability, 0.0, 1.0))(random_);
    };
    if (faults_.refuse && faults_.refuse(message)) return Fault::refuse;
    if (hits(faults_.lose_publish)) return Fault::lose_publish;
    if (hits(faults_.cut)) return Fault::cut;
    if (hits(faults_.lose_ack)) return Fault::lose_ack;
    if (hits(faults_.delay)) return Fault::delay;
    return Fault::none;
  }

  // Keeps the outcome, changed as its fault says, until it is due.
  void hold(const PublishOutcome& outcome, Steady due) {
    Held held{outcome.token, outcome.result, outcome.retry_after, std::string(outcome.reason), due};
    const auto entry = faults_in_flight_.find(outcome.token);
    const Fault fault = entry == faults_in_flight_.end() ? Fault::none : entry->second;
    if (entry != faults_in_flight_.end()) faults_in_flight_.erase(entry);
    const auto become = [&](PublishResult result, const char* reason) {
      held.result = result;
      held.reason = reason;
    };
    if (fault == Fault::refuse) become(PublishResult::rejected, "fault: the message was refused");
    if (fault == Fault::lose_publish) {
      become(PublishResult::unknown, "fault: the message was lost");
    }
    if (fault == Fault::cut) become(PublishResult::unreachable, "fault: the connection was cut");
    if (fault == Fault::lose_ack && outcome.result == PublishResult::acked) {
      become(PublishResult::unknown, "fault: the acknowledgement was lost");
    }
    if (fault == Fault::delay) {
      const auto delay_max = std::max<Millis::rep>(0, faults_.delay_max.count());
      held.due = std::chrono::steady_clock::now() +
                 Millis(std::uniform_int_distribution<Millis::rep>(0, delay_max)(random_));
    }
    held_.push_back(std::move(held));
  }

  void on_outcome(const PublishOutcome& outcome) override { hold(outcome, Steady{}); }

  [[nodiscard]] Steady next_due() const {
    Steady due = Steady::max();
    for (const Held& held : held_) due = std::min(due, held.due);
    return due;
  }

  std::size_t deliver(OutcomeSink& sink, Steady now) {
    std::vector<Held> due;
    std::erase_if(held_, [&](Held& held) {
      if (held.due > now) return false;
      due.push_back(std::move(held));
      return true;
    });
    for (const Held& held : due) {
      sink.on_outcome({held.token, held.result, held.retry_after, held.reason});
    }
    return due.size();
  }

  const std::unique_ptr<Publisher> inner_;
  const FaultOptions faults_;
  std::mt19937_64 random_;
  std::unordered_map<std::uint64_t, Fault> faults_in_flight_;
  std::optional<Fault> next_;
  std::vector<Held> held_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Publisher> make_faulty(std::unique_ptr<Publisher> inner, FaultOptions faults) {
  const bool none = faults.lose_publish <= 0 && faults.lose_ack <= 0 && faults.cut <= 0 &&
                    faults.delay <= 0 && !faults.refuse;
  if (none) return inner;
  return std::make_unique<FaultyPublisher>(std::move(inner), std::move(faults));
}

}  // namespace waybill::testing
