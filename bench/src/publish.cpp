#include "publish.hpp"

#include <unistd.h>

#include <chrono>
#include <stdexcept>

#include "programs.hpp"

namespace waybill::bench {
namespace {

constexpr DatabaseTime kSent{std::chrono::microseconds(1'769'903'999'000'001)};  // as kSentAt says

// Of publisher_memory_entry.
constexpr int kWindow = 1000;
constexpr int kWindows = 8;
constexpr std::size_t kLargeBytes = std::size_t{48} << 10;
constexpr std::size_t kBesideBytes = std::size_t{16} << 20;  // headers, queues, sockets

struct Count final : OutcomeSink {
  void on_outcome(const PublishOutcome& outcome) override {
    ++answered;
    if (outcome.result != PublishResult::acked) {
      throw std::runtime_error("a message is not acked: " + std::string(outcome.reason));
    }
  }
  int answered = 0;
};

}  // namespace

const std::string& message_id(int number) {
  static const std::vector<std::string> ids = [] {
    std::vector<std::string> made;
    for (int i = 0; i < kPublishWarmUp; ++i) {
      made.push_back("order/order.placed/A-" + std::to_string(i));
    }
    return made;
  }();
  return ids.at(static_cast<std::size_t>(number));
}

void publish_by_port(Publisher& publisher, const std::string& destination, int messages, int window,
                     std::string_view body) {
  Count sink;
  std::vector<Outgoing> batch;
  for (int next = 0; sink.answered < messages;) {
    batch.clear();
    for (int room = window - (next - sink.answered); room > 0 && next < messages; --room, ++next) {
      Outgoing& message = batch.emplace_back();
      message.token = static_cast<std::uint64_t>(next);
      message.destination = destination;
      message.message_id = message_id(next);
      message.message_type = kMessageType;
      message.body = body;
      message.sent_at = kSent;
    }
    if (publisher.submit(batch) != batch.size()) throw std::runtime_error("no room in the window");
    publisher.poll(std::chrono::steady_clock::now() + std::chrono::seconds(10), sink);
  }
}

Benchmark publisher_memory_entry(const std::string& name, const std::string& destination,
                                 const std::function<std::unique_ptr<Publisher>()>& open) {
  const auto run = [=]() -> std::vector<Measurement> {
    const std::unique_ptr<Publisher> publisher = open();
    const std::string body(kLargeBytes, 'x');
    publish_by_port(*publisher, destination, kWindow, kWindow);
    forget_peak_memory();
    const double before = peak_memory(getpid());
    publish_by_port(*publisher, destination, kWindows * kWindow, kWindow, body);
    return {within(name, "MiB", "1000 messages of 48 KiB + 16 MiB, 8000 published",
                   static_cast<double>(kLargeBytes * kWindow + kBesideBytes) / (1 << 20),
                   {peak_memory(getpid()) - before})};
  };
  return {{name}, run};
}

}  // namespace waybill::bench
