// A broker for the tests that answers as it is told, and counts what reaches it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "waybill/publisher.hpp"

namespace waybill::testing {

// What a message meets; nothing = no answer ever comes.
using Answer = std::function<std::optional<PublishResult>(const std::string& message_id)>;

struct ArrivedMessage {
  std::string message_id, message_type, destination, key, body, traceparent;
  std::uint32_t epoch = 0;
};

// **Thread safety**: any thread; the publishers it opens as the port says. It must outlive them.
class FakeBroker {
 public:
  FakeBroker() : answer_([](const std::string&) { return PublishResult::acked; }) {}

  [[nodiscard]] OpenPublisher open_publisher();
  void set_answer(Answer answer);
  void set_open_error(std::optional<Error> error);
  // Called at every submit, on the publisher's thread.
  void set_on_submit(std::function<void()> on_submit);
  // How many messages one publisher has in flight.
  void set_window(std::size_t window);

  [[nodiscard]] std::vector<ArrivedMessage> arrived() const;
  [[nodiscard]] std::size_t arrivals() const;

 private:
  friend class FakePublisher;
  mutable std::mutex mutex_;
  Answer answer_;
  std::optional<Error> open_error_;
  std::function<void()> on_submit_;
  std::size_t window_ = 1000;
  std::vector<ArrivedMessage> arrived_;
};

}  // namespace waybill::testing
