// CloudEvents 1.0 in Kafka's binary mode: attributes as headers "ce_…", the body untouched.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "waybill/publisher.hpp"
#include "waybill/subscriber.hpp"

namespace waybill::kafka {

struct Header {
  std::string_view name;
  std::string_view value;
};

// The headers of one message, with its sent_at as text. **Ownership**: views into the arguments and
// itself.
class EventHeaders {
 public:
  EventHeaders(const Outgoing& message, std::string_view sent_at, std::string_view source);
  EventHeaders(const EventHeaders&) = delete;
  EventHeaders& operator=(const EventHeaders&) = delete;

  [[nodiscard]] std::span<const Header> all() const noexcept { return {headers_.data(), size_}; }

 private:
  std::string epoch_;
  std::array<Header, 8> headers_;
  std::size_t size_ = 0;
};

// Takes over what a header says; the others and malformed values change nothing.
void read_header(const Header& header, Delivery& delivery);

// RFC 3339 in UTC with microseconds: "2026-01-31T23:59:59.000001Z".
[[nodiscard]] std::string to_rfc3339(DatabaseTime time);

// The inverse, also of fewer digits. False when `text` is none; `time` then keeps its value.
[[nodiscard]] bool from_rfc3339(std::string_view text, DatabaseTime& time);

}  // namespace waybill::kafka
