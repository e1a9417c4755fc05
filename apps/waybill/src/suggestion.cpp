#include "suggestion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace waybill::cli {
namespace {

constexpr std::size_t kWrittenBytesMax = 64;

// Insertions, deletions and replacements between two words.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[to.size()];
}

// Near enough to be a slip of the hand, or the word cut short.
bool is_near(std::string_view written, std::string_view word, std::size_t distance) {
  if (written.size() >= 3 && word.starts_with(written)) return true;
  return distance <= std::max<std::size_t>(2, word.size() / 3) && distance < word.size();
}

}  // namespace

std::string suggest(std::string_view written, std::span<const std::string> known) {
  const std::string* nearest = nullptr;
  std::size_t nearest_distance = 0;
  if (written.size() <= kWrittenBytesMax) {
    for (const std::string& word : known) {
      const std::size_t distance = edit_distance(written, word);
      if (nearest == nullptr || distance < nearest_distance) {
        nearest = &word;
        nearest_distance = distance;
      }
    }
  }
  if (nearest != nullptr && is_near(written, *nearest, nearest_distance)) {
    return fmt::format("did you mean '{}'?", *nearest);
  }
  return fmt::format("known: {}", fmt::join(known, ", "));
}

}  // namespace waybill::cli
