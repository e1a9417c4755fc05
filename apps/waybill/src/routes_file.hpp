// Routes in a TOML file: `[[route]] message_type = …`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "waybill/error.hpp"
#include "waybill/route.hpp"

namespace waybill::cli {

// Every route valid, every type once. **Errors**: fix_call with file, line and key of everything
// wrong.
[[nodiscard]] Result<std::vector<Route>> parse_routes(std::string_view text,
                                                      const std::string& file_name);

}  // namespace waybill::cli
