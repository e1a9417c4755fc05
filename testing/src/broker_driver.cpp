#include "waybill/testing/broker_driver.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "waybill/testing/broker_conformance.hpp"

namespace waybill::testing {
namespace {

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

Steady now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

std::string random_name(const std::string& prefix) {
  std::random_device random;
  return prefix + "-" + std::to_string(getpid()) + "-" + std::to_string(random());
}

std::string run(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> part{};
  std::size_t size = 0;
  while ((size = std::fread(part.data(), 1, part.size(), pipe)) > 0)
    output.append(part.data(), size);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed: " + output);
  return output;
}

Outgoing message(std::uint64_t token, std::string_view destination, std::string_view id,
                 std::string_view body, std::string_view key) {
  Outgoing outgoing;
  outgoing.token = token;
  outgoing.destination = destination;
  outgoing.message_id = id;
  outgoing.message_type = "t";
  outgoing.key = key;
  outgoing.body = body;
  return outgoing;
}

Answer publish_one(Publisher& publisher, const Outgoing& outgoing, Millis patience) {
  struct Keep final : OutcomeSink {
    void on_outcome(const PublishOutcome& outcome) override {
      answer = {outcome.result, std::string(outcome.reason), Millis(0)};
      ++count;
    }
    Answer answer;
    int count = 0;
  } keep;
  const Steady started = now();
  if (publisher.submit({&outgoing, 1}) != 1) throw std::runtime_error("not accepted");
  while (keep.count == 0 && now() < started + patience) publisher.poll(started + patience, keep);
  if (keep.count != 1) throw std::runtime_error("not exactly one outcome");
  keep.answer.took = std::chrono::duration_cast<Millis>(now() - started);
  return keep.answer;
}

void publish_many(Publisher& publisher, const std::string& destination, std::size_t count,
                  const std::string& prefix, std::size_t keys) {
  std::vector<std::string> ids;
  std::vector<std::string> names;
  std::vector<Outgoing> messages;
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back(prefix + "/t/" + std::to_string(i));
    names.push_back("k" + std::to_string(i % keys));
  }
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(message(i, destination, ids[i], ids[i], names[i]));
  }
  OutcomeBook book;
  std::size_t submitted = 0;
  const Steady until = now() + std::chrono::seconds(20);
  while (book.count < count && now() < until) {
    submitted += publisher.submit(std::span(messages).subspan(submitted));
    publisher.poll(until, book);
  }
  if (book.outcomes.size() != count) throw std::runtime_error("outcomes are missing");
  for (const auto& [token, results] : book.outcomes) {
    if (results != std::vector{PublishResult::acked}) throw std::runtime_error("not acked");
  }
}

std::vector<Delivery> receive(Subscriber& subscriber, std::size_t count, Millis wait) {
  std::vector<Delivery> deliveries;
  const Steady until = now() + wait;
  while (deliveries.size() < count && now() < until) {
    must(subscriber.receive(until, count - deliveries.size(), deliveries));
  }
  return deliveries;
}

void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries, Settle how) {
  std::vector<std::uint64_t> tokens;
  for (const Delivery& delivery : deliveries) tokens.push_back(delivery.token);
  must(subscriber.settle(tokens, how));
}

}  // namespace waybill::testing
