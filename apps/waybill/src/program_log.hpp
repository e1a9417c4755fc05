// The relay program's log: lines on standard error.
#pragma once

#include "waybill/log.hpp"

namespace waybill::cli {

// Lines of UTC time, level and text, from any thread; control characters are escaped.
[[nodiscard]] LogSink make_program_log(LogLevel least);

}  // namespace waybill::cli
