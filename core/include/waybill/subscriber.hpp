// The port to a message broker, consumer side: receive, handle, settle after the commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill {

// One message as received. **Ownership**: owns its bytes.
struct Delivery {
  std::uint64_t token = 0;  // for settle(); never reused by this subscriber
  std::string message_id;
  std::string message_type;
  std::string key;
  std::string body;
  std::string traceparent;
  std::uint32_t epoch = 0;
  DatabaseTime sent_at;
  std::string defect;  // what is wrong with its envelope, or empty; a consumer parks it for that
};

enum class Settle {
  ack,    // done with it
  again,  // deliver it again
};

// One member of one consumer group.
// **Guarantee**: at least once; what was not acked is delivered again, to this or another member.
// **Errors**: a broken connection is retried inside receive(); tokens from before are then ignored.
// One that stays broken for some seconds is told by `retry`, now and then; receive() goes on
// trying.
// **Thread safety**: confined to one thread, except wake().
class Subscriber {
 public:
  virtual ~Subscriber() = default;

  // Appends up to `at_most` deliveries; returns when there is one, at `until`, or after wake().
  [[nodiscard]] virtual Status receive(Steady until, std::size_t at_most,
                                       std::vector<Delivery>& out) = 0;

  [[nodiscard]] virtual Status settle(std::span<const std::uint64_t> tokens, Settle how) = 0;

  virtual void wake() noexcept = 0;
};

}  // namespace waybill
