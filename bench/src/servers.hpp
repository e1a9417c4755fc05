// The database and broker servers that some benchmarks need, each started when first asked for.
#pragma once

#include <sys/types.h>

#include <string>

namespace waybill::bench {

// The URL of the server of that name in tools/servers; starts it, in the folder WAYBILL_SERVERS of
// the environment. tools/bench wipes it.
[[nodiscard]] std::string server_url(const std::string& name);
// The same server's first process.
[[nodiscard]] pid_t server_process(const std::string& name);

// CPU seconds that this process and, where given, a server with all its processes have used.
[[nodiscard]] double cpu_seconds(pid_t server = 0);

}  // namespace waybill::bench
