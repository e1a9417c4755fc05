// A process of its own on a queue, for the tests that kill it.
// usage: queue_worker publish FILE PREFIX    publishes PREFIX/t/0… and prints each acked id
//        queue_worker consume FILE GROUP     prints each id that it received, then settles it
#include <cstdio>
#include <string>
#include <vector>

#include "waybill/brokers/embedded.hpp"

namespace {

using waybill::Steady;

constexpr std::uint64_t kWindow = 8;

Steady soon() {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
}

// One line, at once: what the parent has read happened.
void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

struct Announce final : waybill::OutcomeSink {
  explicit Announce(std::string prefix_) : prefix(std::move(prefix_)) {}
  void on_outcome(const waybill::PublishOutcome& outcome) override {
    if (outcome.result == waybill::PublishResult::acked) {
      say(prefix + "/t/" + std::to_string(outcome.token));
    }
    ++answered;
  }
  std::string prefix;
  std::uint64_t answered = 0;
};

int publish(const waybill::embedded::Options& options, const std::string& prefix) {
  const auto publisher = waybill::embedded::open_publisher(options);
  if (!publisher) return 1;
  Announce announce(prefix);
  for (std::uint64_t token = 0;;) {
    std::vector<std::string> ids;
    std::vector<std::string> bodies;
    for (std::uint64_t i = 0; i < kWindow; ++i) {
      ids.push_back(prefix + "/t/" + std::to_string(token + i));
      bodies.push_back("body of " + ids.back());
    }
    std::vector<waybill::Outgoing> messages(kWindow);
    for (std::uint64_t i = 0; i < kWindow; ++i) {
      messages[i].token = token + i;
      messages[i].destination = "orders";
      messages[i].message_id = ids[i];
      messages[i].message_type = "t";
      messages[i].body = bodies[i];
    }
    token += (*publisher)->submit(messages);
    while (announce.answered < token) (*publisher)->poll(soon(), announce);
  }
}

int consume(const waybill::embedded::Options& options, const std::string& group) {
  const auto subscriber = waybill::embedded::open_subscriber(options, {"orders", group, "worker"});
  if (!subscriber) return 1;
  for (;;) {
    std::vector<waybill::Delivery> batch;
    static_cast<void>((*subscriber)->receive(soon(), 7, batch));
    for (const auto& delivery : batch) {
      say(delivery.message_id);
      static_cast<void>((*subscriber)->settle({&delivery.token, 1}, waybill::Settle::ack));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  waybill::embedded::Options options;
  options.path = argv[2];
  options.lease_ttl = waybill::Millis(200);
  return std::string(argv[1]) == "publish" ? publish(options, argv[3]) : consume(options, argv[3]);
}
