// The demo's last word: the table of both sides and its JSON.
#pragma once

#include <string>
#include <vector>

#include "lost_answer.hpp"

namespace demo {

struct Report {
  std::vector<LostAnswer> lost_answers;
  // Each is the auditor's JSON; empty: not played.
  std::string waybill;
  std::string naive;
};

void print_table(const Report& report);
void write_json(const Report& report, const std::string& path);
[[nodiscard]] bool is_clean(const std::string& audit);
// True for none, too.
[[nodiscard]] bool is_clean(const std::vector<LostAnswer>& outcomes);

}  // namespace demo
