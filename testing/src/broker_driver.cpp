#include "waybill/testing/broker_driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "waybill/testing/broker_conformance.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::testing {
namespace {

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

::testing::AssertionResult heals(Publisher& publisher, const Outgoing& outgoing, Millis patience) {
  const Steady until = now() + patience;
  Answer answer;
  while (now() < until) {
    answer = publish_one(publisher, outgoing);
    if (answer.result == PublishResult::acked) return ::testing::AssertionSuccess();
    OutcomeBook nothing;
    publisher.poll(now() + Millis(100), nothing);
  }
  return ::testing::AssertionFailure() << to_string(answer.result) << ": " << answer.reason;
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

Load::Load(std::string destination, int keys, int per_key)
    : destination_(std::move(destination)), per_key_(per_key) {
  for (int key = 0; key < keys; ++key)
    lanes_.push_back({"k" + std::to_string(key), {}, 0, false, 0});
}

void Load::step(Publisher& publisher) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (lane.in_flight || lane.next == per_key_) continue;
    lane.id = "a/" + lane.key + "/" + std::to_string(lane.next);
    const Outgoing outgoing = message(i, destination_, lane.id, lane.id, lane.key);
    if (publisher.submit({&outgoing, 1}) == 0) break;
    lane.in_flight = true;
  }
  publisher.poll(now() + Millis(100), *this);
}

void Load::on_outcome(const PublishOutcome& outcome) {
  Lane& lane = lanes_.at(outcome.token);
  EXPECT_TRUE(lane.in_flight) << "a second outcome";
  lane.in_flight = false;
  if (outcome.result == PublishResult::acked) {
    ++lane.next;
    ++acked;
  } else {
    EXPECT_NE(outcome.result, PublishResult::rejected) << outcome.reason;
    ++failed;
  }
}

void Load::note(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    Lane& lane = lanes_.at(std::stoul(delivery.key.substr(1)));
    const int number = std::stoi(delivery.message_id.substr(delivery.message_id.rfind('/') + 1));
    EXPECT_LE(number, lane.arrived) << delivery.message_id << " came before its turn";
    lane.arrived = std::max(lane.arrived, number + 1);
  }
}

bool Load::all_arrived() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [this](const Lane& lane) { return lane.arrived == per_key_; });
}

}  // namespace waybill::testing
