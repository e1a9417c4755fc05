// What may stand in the start line and the header fields of a message (RFC 9110).
#pragma once

#include <string_view>

#include "waybill/http/message.hpp"

namespace waybill::http {

// A method or a field name: visible ASCII without separators, at most 256 bytes.
[[nodiscard]] bool is_token(std::string_view text) noexcept;

// A field value: no line breaks, no control bytes.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;

// Fields that belong to the connection, which only client and server themselves write.
[[nodiscard]] bool is_framing(std::string_view name) noexcept;

[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;

// Null, or what makes the headers unfit to be sent.
[[nodiscard]] const char* find_defect(const Headers& headers) noexcept;

}  // namespace waybill::http
