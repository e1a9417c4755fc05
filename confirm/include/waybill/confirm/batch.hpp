// The JSON bodies of the confirmation protocol.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/confirmation.hpp"
#include "waybill/error.hpp"

namespace waybill::confirm {

// The limits of a batch; confirm/openapi.yaml says the same.
inline constexpr std::size_t kItemsMax = 1000;
inline constexpr std::size_t kConsumerBytesMax = 64;
inline constexpr std::size_t kReasonBytesMax = 4096;  // the store keeps 512 of them
inline constexpr std::chrono::seconds kRetentionMax = std::chrono::days(3650);

// {"consumer", "retention_seconds", "confirmations": [{"message_id", "verdict", "reason", "epoch",
// "sent_at"}]} All items are of one consumer and carry one retention: those of the first. A reason
// is cut to 512 bytes, and left out when it is no text.
[[nodiscard]] std::string encode_batch(const std::vector<Confirmation>& items);

// **Errors**: fix_call naming the member; unknown members are ignored, wrong types and ranges are
// not. Of a member that is there twice, the last counts.
[[nodiscard]] Result<std::vector<Confirmation>> parse_batch(std::string_view body);

// {"results": [{"message_id", "result"}]}
[[nodiscard]] std::string encode_results(const std::vector<Confirmation>& items,
                                         const std::vector<ConfirmResult>& results);

// One result per item, in order; refuses another count.
[[nodiscard]] Result<std::vector<ConfirmResult>> parse_results(std::string_view body,
                                                               std::size_t items);

}  // namespace waybill::confirm
