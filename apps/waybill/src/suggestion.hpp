// Finds what the user may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace waybill::cli {

// "did you mean 'ttl'?" for the nearest of `known`, or the list of them when nothing is near.
[[nodiscard]] std::string suggest(std::string_view written, std::span<const std::string> known);

}  // namespace waybill::cli
