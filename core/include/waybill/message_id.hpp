// The identity of a message on the wire: what consumers deduplicate by.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "waybill/error.hpp"

namespace waybill {

inline constexpr std::size_t kMessageIdBytesMax = 768;

// biz_type/message_type/identifier, each part percent-encoded for '/', '%', control and non-ASCII
// bytes. Unambiguous and compared as bytes: ('a/b','c') differs from ('a','b/c'), 'ORDER-1' from
// 'ORDER-1 '.
// **Ownership**: owns its text. **Thread safety**: a value.
struct MessageId {
  std::string biz_type;
  std::string message_type;
  std::string identifier;

  // The encoded form. Not bounded here: compare its size with kMessageIdBytesMax.
  [[nodiscard]] std::string to_string() const;

  // The inverse of to_string. Refuses what to_string never writes (wrong part count, raw or
  // needless escapes, empty parts, more than kMessageIdBytesMax bytes), so that one message has one
  // spelling.
  [[nodiscard]] static Result<MessageId> parse(std::string_view encoded);

  friend bool operator==(const MessageId&, const MessageId&) = default;
};

}  // namespace waybill
