// The confirm keys in a TOML file: `[[key]] id = …, consumer = …, secret = …`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "waybill/confirm/keys.hpp"
#include "waybill/error.hpp"

namespace waybill::cli {

// **Errors**: fix_call with file, line and key of everything wrong, never with a secret.
[[nodiscard]] Result<std::vector<confirm::Key>> parse_keys(std::string_view text,
                                                           const std::string& file_name);

// Reads, parses and checks the file. **Errors**: as parse_keys, and what KeyRing::make refuses.
[[nodiscard]] Result<confirm::KeyRing> load_keys(const std::string& path);

}  // namespace waybill::cli
