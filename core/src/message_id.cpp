#include "waybill/message_id.hpp"

#include <array>
#include <cstdint>

namespace waybill {
namespace {

bool must_escape(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x7F || c == '/' || c == '%';
}

void append_encoded(std::string& out, std::string_view part) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : part) {
    if (!must_escape(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 0x0F];
  }
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes one part; false for anything that append_encoded would have written differently.
bool decode(std::string_view encoded, std::string& out) {
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      if (must_escape(encoded[i])) return false;
      out += encoded[i];
      continue;
    }
    if (encoded.size() - i < 3) return false;
    const int high = hex_digit(encoded[i + 1]);
    const int low = hex_digit(encoded[i + 2]);
    if (high < 0 || low < 0) return false;
    const auto c = static_cast<char>(high * 16 + low);
    if (!must_escape(c)) return false;
    out += c;
    i += 2;
  }
  return !out.empty();
}

Error malformed(std::string what) {
  return {Remedy::fix_call, "not a message id: " + std::move(what),
          "a message id is biz_type/message_type/identifier, percent-encoded, at most 768 bytes"};
}

}  // namespace

std::string MessageId::to_string() const {
  std::string out;
  out.reserve(biz_type.size() + message_type.size() + identifier.size() + 2);
  append_encoded(out, biz_type);
  out += '/';
  append_encoded(out, message_type);
  out += '/';
  append_encoded(out, identifier);
  return out;
}

Result<MessageId> MessageId::parse(std::string_view encoded) {
  if (encoded.size() > kMessageIdBytesMax) {
    return malformed(std::to_string(encoded.size()) + " bytes");
  }
  const std::size_t first = encoded.find('/');
  const std::size_t second = first == encoded.npos ? first : encoded.find('/', first + 1);
  if (second == encoded.npos || encoded.find('/', second + 1) != encoded.npos) {
    return malformed("it has not exactly three parts");
  }
  MessageId id;
  if (!decode(encoded.substr(0, first), id.biz_type) ||
      !decode(encoded.substr(first + 1, second - first - 1), id.message_type) ||
      !decode(encoded.substr(second + 1), id.identifier)) {
    return malformed("a part is empty or not encoded as it must be");
  }
  return id;
}

}  // namespace waybill
