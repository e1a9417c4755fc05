#include "json_rows.hpp"

#include <cstdio>

#include "waybill/drivers/mariadb.hpp"
#include "waybill/message.hpp"

namespace waybill::mariadb {
namespace {

void append_text(std::string& out, std::string_view text) {
  const bool is_text = is_storable_text(text);
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (!is_text && (byte >= 0x80 || byte == 0)) {
      out += '?';
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(byte));
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

std::string json_list(std::span<const std::int64_t> values) {
  std::string out = "[";
  for (const std::int64_t value : values) {
    if (out.size() > 1) out += ',';
    out += std::to_string(value);
  }
  return out + "]";
}

std::string json_list(std::span<const std::string_view> values) {
  std::string out = "[";
  for (const std::string_view value : values) {
    if (out.size() > 1) out += ',';
    append_text(out, value);
  }
  return out + "]";
}

JsonRows& JsonRows::row() {
  text_ += text_.empty() ? "[" : "],[";
  return *this;
}

void JsonRows::separate() {
  if (text_.back() != '[') text_ += ',';
}

JsonRows& JsonRows::add(std::int64_t value) {
  separate();
  text_ += std::to_string(value);
  return *this;
}

JsonRows& JsonRows::add(std::string_view text) {
  separate();
  append_text(text_, text);
  return *this;
}

JsonRows& JsonRows::add(DatabaseTime time) {
  return add(std::string_view(to_text(time)));
}

std::string JsonRows::text() const {
  return text_.empty() ? "[]" : "[" + text_ + "]]";
}

}  // namespace waybill::mariadb
