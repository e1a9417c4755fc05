// The demo's last word: the table of both sides and its JSON.
#pragma once

#include <string>

namespace demo {

// Each is the auditor's JSON.
struct Report {
  std::string waybill;
  std::string naive;
};

void print_table(const Report& report);
void write_json(const Report& report, const std::string& path);
[[nodiscard]] bool is_clean(const std::string& audit);

}  // namespace demo
