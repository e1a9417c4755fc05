// Where the library tells what happens; it never writes to a terminal or a file itself.
#pragma once

#include <functional>
#include <string_view>

namespace waybill {

enum class LogLevel { debug, info, warning, alarm };

// Called from any of the library's threads, also at the same time; must not throw. An empty sink
// drops everything.
using LogSink = std::function<void(LogLevel level, std::string_view text)>;

}  // namespace waybill
