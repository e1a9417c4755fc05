// Child processes that cannot outlive the demo.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace demo {

using SteadyTime = std::chrono::steady_clock::time_point;

// One running program; killed and reaped by the destructor, and by the kernel when the demo dies.
// **Thread safety**: start and use it on the main thread only: the kernel watches that one.
class Process {
 public:
  // `command` is program and arguments; its output is appended to the file `output`.
  Process(const std::vector<std::string>& command, const std::string& output);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Nothing while it runs, then waitpid's status.
  [[nodiscard]] std::optional<int> status();
  void signal(int number);
  // Waits at most `patience` for the end, then kills it.
  int finish(std::chrono::milliseconds patience);

 private:
  pid_t pid_;
  std::optional<int> status_;
};

[[nodiscard]] std::string describe_status(int status);

// What a program said, and waitpid's status of it.
struct Ran {
  int status = 0;
  std::string output;
};
// Runs it to its end, with its output in the file `output`; `meanwhile` is called again and again.
[[nodiscard]] Ran run_program(const std::vector<std::string>& command, const std::string& output,
                              const std::function<void()>& meanwhile);

[[nodiscard]] std::vector<std::string> join(std::vector<std::string> left,
                                            const std::vector<std::string>& right);

// A server that is started again whenever it ends.
class Service {
 public:
  // `command` is asked at each start, so that arguments may change.
  Service(std::string name, std::string output, std::function<std::vector<std::string>()> command);

  void start();
  // kill -9 now, started again after `down`.
  void kill(std::chrono::milliseconds down);
  // SIGTERM, and started again at once; with changed arguments.
  void restart();
  void stop();
  // Starts it again when its time has come; not one that was never started.
  void tick();
  // What it writes into its port file when it is up; throws when it does not come up.
  [[nodiscard]] std::string wait_for_port(const std::string& port_file);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] int kills() const noexcept { return kills_; }
  // Ends that nobody asked for, described.
  [[nodiscard]] const std::vector<std::string>& surprises() const noexcept { return surprises_; }

 private:
  std::string name_;
  std::string output_;
  std::function<std::vector<std::string>()> command_;
  std::optional<Process> process_;
  std::optional<SteadyTime> start_at_;  // when to start again
  int kills_ = 0;
  std::vector<std::string> surprises_;
};

}  // namespace demo
