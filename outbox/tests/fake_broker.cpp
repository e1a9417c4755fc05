#include "fake_broker.hpp"

#include <utility>

namespace waybill::testing {

class FakePublisher final : public Publisher {
 public:
  explicit FakePublisher(FakeBroker& broker) : broker_(broker) {}

  [[nodiscard]] PublisherTraits traits() const override { return {}; }

  std::size_t submit(std::span<const Outgoing> messages) override {
    std::function<void()> on_submit;
    std::size_t taken = 0;
    {
      const std::lock_guard lock(broker_.mutex_);
      for (const Outgoing& message : messages) {
        if (open_.size() >= broker_.window_) break;
        open_.push_back({message.token, std::string(message.message_id)});
        broker_.arrived_.push_back(
            {std::string(message.message_id), std::string(message.message_type),
             std::string(message.destination), std::string(message.key), std::string(message.body),
             std::string(message.traceparent), message.epoch});
        ++taken;
      }
      on_submit = broker_.on_submit_;
    }
    if (taken > 0 && on_submit) on_submit();
    return taken;
  }

  void poll(Steady until, OutcomeSink& sink) override {
    do {
      if (answer_all(sink)) return;
      std::unique_lock lock(mutex_);
      const Steady look_again = std::chrono::steady_clock::now() + Millis(1);
      if (woken_.wait_until(lock, std::min(until, look_again), [&] { return awake_; })) {
        awake_ = false;
        return;
      }
    } while (std::chrono::steady_clock::now() < until);
  }

  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    woken_.notify_all();
  }

  void close(Steady, OutcomeSink& sink) override {
    answer_all(sink);
    for (const Open& message : std::exchange(open_, {})) {
      sink.on_outcome({message.token, PublishResult::unknown, Millis(0), "closed"});
    }
  }

 private:
  struct Open {
    std::uint64_t token;
    std::string message_id;
  };

  bool answer_all(OutcomeSink& sink) {
    Answer answer;
    {
      const std::lock_guard lock(broker_.mutex_);
      answer = broker_.answer_;
    }
    bool any = false;
    for (Open& message : std::exchange(open_, {})) {
      if (const auto result = answer(message.message_id)) {
        sink.on_outcome({message.token, *result, Millis(0), "as the test says"});
        any = true;
      } else {
        open_.push_back(std::move(message));
      }
    }
    return any;
  }

  FakeBroker& broker_;
  std::deque<Open> open_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;
};

OpenPublisher FakeBroker::open_publisher() {
  return [this](std::string_view) -> Result<std::unique_ptr<Publisher>> {
    const std::lock_guard lock(mutex_);
    if (open_error_) return *open_error_;
    return std::unique_ptr<Publisher>(std::make_unique<FakePublisher>(*this));
  };
}

void FakeBroker::set_answer(Answer answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
}

void FakeBroker::set_open_error(std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  open_error_ = std::move(error);
}

void FakeBroker::set_on_submit(std::function<void()> on_submit) {
  const std::lock_guard lock(mutex_);
  on_submit_ = std::move(on_submit);
}

void FakeBroker::set_window(std::size_t window) {
  const std::lock_guard lock(mutex_);
  window_ = window;
}

std::vector<ArrivedMessage> FakeBroker::arrived() const {
  const std::lock_guard lock(mutex_);
  return arrived_;
}

std::size_t FakeBroker::arrivals() const {
  const std::lock_guard lock(mutex_);
  return arrived_.size();
}

}  // namespace waybill::testing
