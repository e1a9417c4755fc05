// The real programs that some benchmarks run and watch.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace waybill::bench {

using Command = std::vector<std::string>;  // program and arguments

// Runs the command, with its output in the file `output`, to its end. Throws with that output when
// it does not end well within some minutes.
void run_to_end(const Command& command, const std::string& output);

// The same; answers the largest resident memory that it had, in MiB.
[[nodiscard]] double peak_memory(const Command& command, const std::string& output);

// The largest resident memory that a running process has had, in MiB; of this process since
// forget_peak_memory().
[[nodiscard]] double peak_memory(pid_t pid);

// Gives back what malloc keeps, and counts this process's peak anew.
void forget_peak_memory();

// What a service writes into its port file once it listens; throws after 20 seconds.
[[nodiscard]] std::string wait_for_port(const std::string& file);

[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace waybill::bench
