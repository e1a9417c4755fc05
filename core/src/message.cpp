#include "waybill/message.hpp"

#include <cstdint>
#include <cstring>

namespace waybill {
namespace {

struct Sequence {
  std::size_t length;  // bytes, 0 = not a lead byte
  std::uint32_t initial_bits;
  std::uint32_t smallest;  // below it the form is overlong
};

Sequence classify(unsigned char lead) noexcept {
  if (lead < 0x80) return {1, lead, 0};
  if ((lead & 0xE0) == 0xC0) return {2, lead & 0x1FU, 0x80};
  if ((lead & 0xF0) == 0xE0) return {3, lead & 0x0FU, 0x800};
  if ((lead & 0xF8) == 0xF0) return {4, lead & 0x07U, 0x10000};
  return {0, 0, 0};
}

// Eight bytes of 1 to 127: most texts are made of them, and they need no closer look.
bool starts_with_plain_ascii(std::string_view text) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  std::uint64_t eight = 0;
  if (text.size() < sizeof eight) return false;
  std::memcpy(&eight, text.data(), sizeof eight);
  return (((eight - kOnes) | eight) & (kOnes * 0x80U)) == 0;
}

bool is_scalar(std::uint32_t code_point) noexcept {
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  return code_point <= 0x10FFFF && !surrogate && code_point != 0;
}

}  // namespace

Content Content::binary(std::span<const std::byte> bytes) {
  Content content;
  content.bytes_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  content.binary_ = true;
  return content;
}

bool is_storable_text(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    if (starts_with_plain_ascii(text.substr(at))) {
      at += sizeof(std::uint64_t);
      continue;
    }
    const Sequence sequence = classify(static_cast<unsigned char>(text[at]));
    if (sequence.length == 0 || sequence.length > text.size() - at) return false;
    std::uint32_t code_point = sequence.initial_bits;
    for (std::size_t i = 1; i < sequence.length; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      if ((byte & 0xC0) != 0x80) return false;
      code_point = (code_point << 6) | (byte & 0x3FU);
    }
    if (code_point < sequence.smallest || !is_scalar(code_point)) return false;
    at += sequence.length;
  }
  return true;
}

std::size_t count_characters(std::string_view text) noexcept {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace waybill
