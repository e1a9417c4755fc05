// The message as a business transaction writes it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace waybill {

// Bounds of the fixed columns, in characters of the column type (DESIGN §3), and of the payload, in
// bytes.
inline constexpr std::size_t kMessageTypeCharsMax = 128;
inline constexpr std::size_t kBizTypeCharsMax = 64;
inline constexpr std::size_t kIdentifierCharsMax = 128;
inline constexpr std::size_t kContentBytesMaxDefault = std::size_t{1} << 20;

// The payload: UTF-8 text kept byte for byte, or bytes that are no text.
// Text must be valid UTF-8 without NUL; binary travels through the table as base64 and leaves as it
// was.
// **Ownership**: owns its bytes. **Thread safety**: as std::string.
class Content {
 public:
  Content() = default;
  Content(std::string text) : bytes_(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  Content(std::string_view text) : bytes_(text) {}        // NOLINT(google-explicit-constructor)
  Content(const char* text) : bytes_(text) {}             // NOLINT(google-explicit-constructor)

  // Bytes of any kind; needs the table's `headers` column, which records the encoding.
  [[nodiscard]] static Content binary(std::span<const std::byte> bytes);

  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool is_binary() const noexcept { return binary_; }

 private:
  std::string bytes_;
  bool binary_ = false;
};

// One message. The MessageId, unique and stable over every re-send, is
// biz_type/message_type/identifier.
//
//   outbox.add(tx, {.message_type = "order.placed", .biz_type = "order", .identifier = "A-17",
//   .content = json});
//
// **Errors**: checked by `Outbox::add`, which says which field broke which bound.
struct Message {
  std::string message_type;  // event name, decides the route; 1…128 characters
  std::string biz_type;      // business domain; 1…64 characters
  std::string identifier;  // idempotency number (幂等号); 1…128 characters, compared as bytes
  Content content = {};    // at most the outbox's content_bytes_max
  std::string key =
      {};  // partition and order key; empty = none; at most 256 bytes; needs `headers`
  std::string traceparent = {};  // W3C trace context, passed through; empty = none; needs `headers`
};

// True if `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms) without a NUL byte.
[[nodiscard]] bool is_storable_text(std::string_view text) noexcept;

// The number of characters (code points) of valid UTF-8 text.
[[nodiscard]] std::size_t count_characters(std::string_view text) noexcept;

}  // namespace waybill
