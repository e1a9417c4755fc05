// Addresses of databases and queues, written as URLs.
#pragma once

#include <string>
#include <string_view>

#include "waybill/error.hpp"

namespace waybill::cli {

// The file behind `sqlite:///absolute/path`, percent-decoded.
// **Errors**: fix_call for another scheme, a relative path, a query or a fragment. Whatever follows
// an unknown scheme is not repeated: it may hold credentials.
[[nodiscard]] Result<std::string> parse_store_url(std::string_view url);

// The same for `queue:///absolute/path`.
[[nodiscard]] Result<std::string> parse_queue_url(std::string_view url);

}  // namespace waybill::cli
