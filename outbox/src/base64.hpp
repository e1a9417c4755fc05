// RFC 4648 base64 with padding, by OpenSSL.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace waybill {

// The encoded size of so many bytes.
[[nodiscard]] constexpr std::size_t base64_size(std::size_t bytes) noexcept {
  return (bytes / 3 + (bytes % 3 == 0 ? 0 : 1)) * 4;
}

// At most 1 GiB: OpenSSL counts in int.
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace waybill
