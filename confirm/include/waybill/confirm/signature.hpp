// Signatures as Standard Webhooks defines them: HMAC-SHA256 over "id.timestamp.body".
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "waybill/confirm/keys.hpp"
#include "waybill/confirm/request.hpp"

namespace waybill::confirm {

using WallTime = std::chrono::sys_seconds;

inline constexpr std::chrono::minutes kTimestampTolerance{5};

// Adds webhook-id, webhook-timestamp, webhook-signature and waybill-key-id to the request.
void sign(Request& request, const Key& key, std::string_view webhook_id, WallTime now);

// The key that signed the request, or null: unsigned, unknown key, wrong signature, or a timestamp
// more than age_max before `now` or five minutes after it. Compares in constant time; looks at
// nothing but the request and the keys.
// **Ownership**: points into `keys`.
[[nodiscard]] const Key* verify(const Request& request, const KeyRing& keys, WallTime now,
                                std::chrono::seconds age_max = kTimestampTolerance);

}  // namespace waybill::confirm
