#include "fake_publisher.hpp"

namespace waybill::relay::testing {

class FakePublisher final : public Publisher {
 public:
  FakePublisher(FakeBroker& broker, std::string destination)
      : broker_(broker), destination_(std::move(destination)) {}
  ~FakePublisher() override { broker_.end(destination_); }

  [[nodiscard]] PublisherTraits traits() const override { return {}; }

  [[nodiscard]] std::size_t submit(std::span<const Outgoing> messages) override {
    const std::size_t room = traits().window_max - open_.size();
    const std::size_t accepted = std::min(messages.size(), room);
    for (const Outgoing& message : messages.first(accepted)) {
      Sent sent{std::string(message.destination), std::string(message.message_id),
                std::string(message.body), message.sent_at};
      open_.emplace_back(message.token, broker_.take(sent));
    }
    return accepted;
  }

  void poll(Steady until, OutcomeSink& sink) override {
    if (tell(sink)) return;
    std::unique_lock lock(mutex_);
    (void)woken_.wait_until(lock, until, [this] { return wake_; });
    wake_ = false;
  }

  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    wake_ = true;
    woken_.notify_all();
  }

  void close(Steady /*deadline*/, OutcomeSink& sink) override {
    (void)tell(sink);
    for (const auto& [token, answer] : open_) {
      sink.on_outcome({token, PublishResult::unknown, Millis(0), "closed"});
    }
    open_.clear();
  }

 private:
  bool tell(OutcomeSink& sink) {
    bool told = false;
    std::deque<std::pair<std::uint64_t, Answer>> silent;
    while (!open_.empty()) {
      const auto [token, answer] = std::move(open_.front());
      open_.pop_front();
      if (answer.silent) {
        silent.emplace_back(token, answer);
        continue;
      }
      sink.on_outcome({token, answer.result, Millis(0), answer.reason});
      told = true;
    }
    open_ = std::move(silent);
    return told;
  }

  FakeBroker& broker_;
  const std::string destination_;
  std::deque<std::pair<std::uint64_t, Answer>> open_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool wake_ = false;
};

OpenPublisher FakeBroker::opener() {
  return [this](std::string_view destination) -> Result<std::unique_ptr<Publisher>> {
    return std::unique_ptr<Publisher>(
        std::make_unique<FakePublisher>(*this, std::string(destination)));
  };
}

void FakeBroker::answer_with(std::function<Answer(const Sent&)> answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
}

void FakeBroker::end_with(std::function<void(const std::string&)> end) {
  const std::lock_guard lock(mutex_);
  end_ = std::move(end);
}

void FakeBroker::end(const std::string& destination) {
  std::unique_lock lock(mutex_);
  const auto end = end_;
  lock.unlock();
  if (end) end(destination);
}

std::vector<Sent> FakeBroker::sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

std::map<std::string, int> FakeBroker::copies() const {
  std::map<std::string, int> copies;
  for (const Sent& sent : FakeBroker::sent()) ++copies[sent.message_id];
  return copies;
}

Answer FakeBroker::take(const Sent& sent) {
  const std::lock_guard lock(mutex_);
  sent_.push_back(sent);
  return answer_ ? answer_(sent) : Answer{};
}

}  // namespace waybill::relay::testing
