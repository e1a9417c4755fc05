// What a message looks like on the wire of any broker: CloudEvents 1.0 in binary mode, where
// attributes are headers and the body is untouched. How a broker spells a header's name is its
// adapter's business.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill {

enum class WireFormat {
  cloud_events,  // all that waybill knows of a message; its consumers can confirm
  plain,         // the body, and the header "message_id": for those who want nothing else
};

namespace cloud_events {

// The one header of WireFormat::plain, also understood by subscribers.
inline constexpr std::string_view kPlainIdHeader = "message_id";

struct Attribute {
  std::string_view name;  // without a broker's prefix
  std::string_view value;
};

// The attributes of one message, with its sent_at as text. **Ownership**: views into the arguments
// and itself.
class Attributes {
 public:
  Attributes(const Outgoing& message, std::string_view sent_at, std::string_view source);
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  [[nodiscard]] std::span<const Attribute> all() const noexcept {
    return {attributes_.data(), size_};
  }

 private:
  std::string epoch_;
  std::array<Attribute, 8> attributes_;
  std::size_t size_ = 0;
};

// Takes over what an attribute says; unknown ones change nothing. A value that it cannot have
// changes nothing but the delivery's defect.
void read(const Attribute& attribute, Delivery& delivery);

// RFC 3339 in UTC with microseconds: "2026-01-31T23:59:59.000001Z".
[[nodiscard]] std::string to_rfc3339(DatabaseTime time);

// The inverse, also of fewer digits. False when `text` is none; `time` then keeps its value.
[[nodiscard]] bool from_rfc3339(std::string_view text, DatabaseTime& time);

}  // namespace cloud_events
}  // namespace waybill
