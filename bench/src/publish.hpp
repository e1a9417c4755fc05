// What the benchmarks of the brokers' publishers share: the messages, and who drives the port.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "waybill/publisher.hpp"

namespace waybill::bench {

inline constexpr int kPublishWarmUp = 100'000;
inline constexpr const char* kMessageType = "order.placed";
inline constexpr const char* kSentAt = "2026-01-31T23:59:59.000001Z";
inline const std::string kPublishBody(256, 'x');

// The id of a message, made beforehand, so that neither side pays for it; up to kPublishWarmUp.
[[nodiscard]] const std::string& message_id(int number);

// Publishes so many messages to the destination and waits for all acknowledgements.
void publish_by_port(Publisher& publisher, const std::string& destination, int messages, int window,
                     std::string_view body = kPublishBody);

// The benchmark `name`: how far large messages, one full window of them after the other, let this
// process grow, against the size of a window and a little beside it.
[[nodiscard]] Benchmark publisher_memory_entry(
    const std::string& name, const std::string& destination,
    const std::function<std::unique_ptr<Publisher>()>& open);

}  // namespace waybill::bench
