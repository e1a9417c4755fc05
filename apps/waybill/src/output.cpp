#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "waybill/message.hpp"

namespace waybill::cli {
namespace {

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
}

// The length of the valid UTF-8 character at `at`, 0 when there is none.
std::size_t character_length(std::string_view text, std::size_t at) noexcept {
  for (std::size_t length = 1; length <= 4 && at + length <= text.size(); ++length) {
    if (is_storable_text(text.substr(at, length))) return length;
  }
  return 0;
}

}  // namespace

void Output::line(std::string_view text) {
  fmt::print(file_, "{}\n", text);
}

void Output::table(const std::vector<std::string>& header,
                   const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {header};
  for (const std::vector<std::string>& row : rows) {
    std::vector<std::string>& cells = lines.emplace_back();
    for (const std::string& cell : row) cells.push_back(cell.empty() ? "-" : printable(cell));
  }
  std::vector<std::size_t> widths(header.size(), 0);
  for (const std::vector<std::string>& cells : lines) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], count_characters(cells[i]));
    }
  }
  for (const std::vector<std::string>& cells : lines) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += cells[i];
      if (i + 1 < cells.size()) text.append(widths[i] - count_characters(cells[i]) + 2, ' ');
    }
    line(text);
  }
}

void Output::document(const boost::json::value& value) {
  line(boost::json::serialize(value));
}

Status Output::finish() {
  if (std::fflush(file_) == 0 && std::ferror(file_) == 0) return {};
  return Error{Remedy::retry, "the answer could not be written to the output",
               "is the disk full or the pipe closed?"};
}

std::string print_time(DatabaseTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string printable(std::string_view text) {
  std::string printed;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = is_control(text[at]) ? 0 : character_length(text, at);
    if (length == 0) {
      printed += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
      ++at;
      continue;
    }
    // C1 controls (U+0080 … U+009F) move some terminals as well.
    if (length == 2 && text[at] == '\xc2' && static_cast<unsigned char>(text[at + 1]) < 0xa0) {
      printed += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[at + 1]));
    } else {
      printed += text.substr(at, length);
    }
    at += length;
  }
  return printed;
}

std::string json_text(std::string_view text) {
  std::string valid;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = text[at] == '\0' ? 1 : character_length(text, at);
    valid += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return valid;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      encoded += i <= group.size() ? kAlphabet[bits >> (18 - 6 * i) & 63U] : '=';
    }
  }
  return encoded;
}

}  // namespace waybill::cli
