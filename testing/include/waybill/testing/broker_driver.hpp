// How tests drive a publisher or a subscriber: one message, many, under load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::testing {

[[nodiscard]] std::string random_name(const std::string& prefix);

// Runs `command` in a shell; answers its output. Throws unless it ends with 0.
std::string run(const std::string& command);

// One message in flight with the tests' usual fields. The texts must outlive it.
[[nodiscard]] Outgoing message(std::uint64_t token, std::string_view destination,
                               std::string_view id, std::string_view body = {},
                               std::string_view key = {});

// Publishes one message; answers its outcome and reason.
struct Answer {
  PublishResult result = PublishResult::unknown;
  std::string reason;
  Millis took{0};
};
[[nodiscard]] Answer publish_one(Publisher& publisher, const Outgoing& outgoing,
                                 Millis patience = std::chrono::seconds(20));

// Publishes `count` messages "<prefix>/t/<i>" with `keys` keys; all must be acked.
void publish_many(Publisher& publisher, const std::string& destination, std::size_t count,
                  const std::string& prefix, std::size_t keys = 8);

// Deliveries until there are `count`, or `wait` is over.
[[nodiscard]] std::vector<Delivery> receive(Subscriber& subscriber, std::size_t count,
                                            Millis wait = std::chrono::seconds(20));
void settle(Subscriber& subscriber, const std::vector<Delivery>& deliveries,
            Settle how = Settle::ack);

}  // namespace waybill::testing
