// Prints a command's answer: tables for people, JSON for programs.
#pragma once

#include <boost/json/value.hpp>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

// Where a command's answer goes. Commands print either lines and tables, or one JSON document.
// **Ownership**: borrows the file. **Thread safety**: confined to one thread.
class Output {
 public:
  Output(std::FILE* file, bool json) : file_(file), json_(json) {}

  [[nodiscard]] bool json() const noexcept { return json_; }

  void line(std::string_view text);
  // Aligned columns; every row has as many cells as `header`. Control characters are escaped.
  void table(const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows);
  void document(const boost::json::value& value);

  // **Errors**: retry when the answer could not be written (disk full, closed pipe).
  [[nodiscard]] Status finish();

 private:
  std::FILE* file_;
  bool json_;
};

// "2026-11-23T21:09:00.123456Z".
[[nodiscard]] std::string print_time(DatabaseTime time);

// For a terminal: control characters and bytes that are no UTF-8 as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

// For JSON: bytes that are no UTF-8 replaced by U+FFFD.
[[nodiscard]] std::string json_text(std::string_view text);

[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace waybill::cli
