// A broker in memory, whose answers a test decides.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "waybill/publisher.hpp"

namespace waybill::relay::testing {

struct Sent {
  std::string destination;
  std::string message_id;
  std::string body;
  DatabaseTime sent_at;
};

struct Answer {
  PublishResult result = PublishResult::acked;
  std::string reason = {};
  bool silent = false;  // no outcome until the publisher is closed
};

// Shared by all publishers that it opens. **Thread safety**: from any thread.
class FakeBroker {
 public:
  [[nodiscard]] OpenPublisher opener();

  void answer_with(std::function<Answer(const Sent&)> answer);
  // Called with the destination of each publisher that ends.
  void end_with(std::function<void(const std::string&)> end);
  [[nodiscard]] std::vector<Sent> sent() const;
  [[nodiscard]] std::map<std::string, int> copies() const;  // by message id

 private:
  friend class FakePublisher;
  Answer take(const Sent& sent);
  void end(const std::string& destination);

  mutable std::mutex mutex_;
  std::function<Answer(const Sent&)> answer_;
  std::function<void(const std::string&)> end_;
  std::vector<Sent> sent_;
};

}  // namespace waybill::relay::testing
