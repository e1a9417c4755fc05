// What a consumer tells the producer about a message.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "waybill/clock.hpp"

namespace waybill {

enum class Verdict { done, failed, later };

// One item of a confirmation batch.
struct Confirmation {
  std::string message_id;  // encoded MessageId, at most 768 bytes
  std::string consumer;    // at most 64 of [A-Za-z0-9._-]
  Verdict verdict = Verdict::done;
  std::string reason;  // with `failed`; at most 512 bytes, longer is cut
  std::uint32_t epoch = 0;
  DatabaseTime sent_at;  // the message's "waybillsent"
  std::chrono::seconds retention =
      std::chrono::days(7);  // how long this consumer's inbox remembers
};

// The producer's answer per item. A repeated item gets the same answer as the first.
enum class ConfirmResult {
  done,                   // the verdict holds, recorded now or before
  done_though_cancelled,  // the same, on a row that an operator had withdrawn: an alarm; "done" to
                          // the consumer
  already,                // something final was there first; this verdict changed nothing
  not_found,              // no such message, or this consumer is not required for it
};

[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;
[[nodiscard]] std::string_view to_string(ConfirmResult result) noexcept;
[[nodiscard]] std::optional<Verdict> parse_verdict(std::string_view text) noexcept;
[[nodiscard]] std::optional<ConfirmResult> parse_confirm_result(std::string_view text) noexcept;

}  // namespace waybill
