#include "fields.hpp"

#include <algorithm>

namespace waybill::http {
namespace {

constexpr std::size_t kTokenBytesMax = 256;
constexpr std::string_view kSeparators = "\"(),/:;<=>?@[\\]{}";

bool is_visible(char c) noexcept {
  return c > ' ' && c < 0x7f;
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool is_token(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kTokenBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_visible(c) && kSeparators.find(c) == std::string_view::npos;
         });
}

bool is_field_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_framing(std::string_view name) noexcept {
  return same_name(name, "content-length") || same_name(name, "transfer-encoding") ||
         same_name(name, "connection");
}

const char* find_defect(const Headers& headers) noexcept {
  for (const auto& [name, value] : headers) {
    if (!is_token(name)) return "a header's name is no token";
    if (!is_field_value(value)) return "a header's value has control bytes";
    if (is_framing(name))
      return "Content-Length, Transfer-Encoding and Connection are not settable";
  }
  return nullptr;
}

}  // namespace waybill::http
