// Reads a small file whole.
#pragma once

#include <cstddef>
#include <string>

#include "waybill/error.hpp"

namespace waybill::cli {

inline constexpr std::size_t kTextFileBytesMax = std::size_t{1} << 20;

// **Errors**: fix_call when the file is missing, unreadable, no regular file or larger than
// kTextFileBytesMax.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path);

}  // namespace waybill::cli
