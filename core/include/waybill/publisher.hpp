// The port to a message broker, producer side: submit many, learn the outcome of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill {

// One message on its way out. **Ownership**: the views live until the token's outcome was
// delivered.
struct Outgoing {
  std::uint64_t token = 0;       // chosen by the caller, unique among its messages in flight
  std::string_view destination;  // topic, exchange or URL name, as the route says
  std::string_view message_id;   // encoded MessageId
  std::string_view message_type;
  std::string_view key;          // partition key, or empty
  std::string_view body;         // payload, byte-exact
  std::string_view traceparent;  // or empty
  std::uint32_t epoch = 0;       // comes back with the confirmation
  DatabaseTime
      sent_at;  // "waybillsent": database time of this publish, comes back with the confirmation
};

enum class PublishResult {
  acked,             // the broker has it durably
  rejected,          // message: the broker refuses this one (too large, malformed)
  destination_down,  // destination: unroutable, unknown topic, access denied
  unreachable,       // transport: surely not published
  throttled,         // transport: asked to slow down, surely not published
  unknown,           // transport: time-out or lost answer; may have been published
};

[[nodiscard]] std::string_view to_string(PublishResult result) noexcept;

struct PublishOutcome {
  std::uint64_t token = 0;
  PublishResult result = PublishResult::unknown;
  Millis retry_after{0};    // broker's wish with `throttled`, else 0
  std::string_view reason;  // lives during the call; empty when acked
};

class OutcomeSink {
 public:
  virtual void on_outcome(const PublishOutcome& outcome) = 0;

 protected:
  ~OutcomeSink() = default;
};

struct PublisherTraits {
  std::uint32_t window_max = 1000;        // messages in flight
  std::size_t body_bytes_max = 1U << 20;  // larger bodies are `rejected`
  bool ordered_window = false;  // keeps submission order per key inside the window, also on failure
};

// One connection to one broker.
// **Guarantee**: exactly one outcome per accepted token, at the latest after the publisher's
// time-out.
// **Errors**: none thrown for a message; trouble is an outcome.
// **Thread safety**: confined to one thread, except wake().
class Publisher {
 public:
  virtual ~Publisher() = default;
  [[nodiscard]] virtual PublisherTraits traits() const = 0;

  // Accepts a prefix and says how many; never blocks. 0 = window full: poll first.
  [[nodiscard]] virtual std::size_t submit(std::span<const Outgoing> messages) = 0;

  // Works until `until` or until at least one outcome was delivered or wake() was called.
  virtual void poll(Steady until, OutcomeSink& sink) = 0;

  // Ends a poll() that runs or comes next.
  virtual void wake() noexcept = 0;

  // Flushes until `deadline`; what is still open then is delivered as `unknown`. No submit
  // afterwards.
  virtual void close(Steady deadline, OutcomeSink& sink) = 0;
};

// Opens a publisher for a destination named by a route; configuration decides which broker that is.
// May be called from any thread.
using OpenPublisher =
    std::function<Result<std::unique_ptr<Publisher>>(std::string_view destination)>;

}  // namespace waybill
