#include "process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace demo {
namespace {
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kSurprisesMax = 20;
constexpr milliseconds kStopPatience{5000};
constexpr std::chrono::seconds kStartPatience{20};

// Runs in the child; only what is allowed between fork and exec.
[[noreturn]] void become(char* const* arguments, const char* output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY);
  const int file = ::open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (null < 0 || file < 0) ::_exit(127);
  ::dup2(null, STDIN_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& command, const std::string& output) {
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error(std::string("cannot fork: ") + std::strerror(errno));
  if (pid_ == 0) become(arguments.data(), output.c_str(), parent);
}

Process::~Process() {
  finish(milliseconds(0));
}

std::optional<int> Process::status() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

void Process::signal(int number) {
  if (!status()) ::kill(pid_, number);
}

int Process::finish(milliseconds patience) {
  const auto until = steady_clock::now() + patience;
  while (!status() && steady_clock::now() < until) std::this_thread::sleep_for(milliseconds(5));
  if (!status_) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
  }
  return *status_;
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

Ran run_program(const std::vector<std::string>& command, const std::string& output,
                const std::function<void()>& meanwhile) {
  std::filesystem::remove(output);
  Process program(command, output);
  while (!program.status()) {
    meanwhile();
    std::this_thread::sleep_for(milliseconds(5));
  }
  std::ostringstream text;
  text << std::ifstream(output).rdbuf();
  return {*program.status(), text.str()};
}

std::vector<std::string> join(std::vector<std::string> left,
                              const std::vector<std::string>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Service::Service(std::string name, std::string output,
                 std::function<std::vector<std::string>()> command)
    : name_(std::move(name)), output_(std::move(output)), command_(std::move(command)) {}

void Service::start() {
  start_at_.reset();
  process_.emplace(command_(), output_);
}

void Service::kill(milliseconds down) {
  if (!process_ || process_->status()) return;
  process_->signal(SIGKILL);
  process_.reset();
  start_at_ = steady_clock::now() + down;
  ++kills_;
}

void Service::restart() {
  stop();
  start();
}

void Service::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  process_->finish(kStopPatience);
  process_.reset();
}

void Service::tick() {
  const auto now = steady_clock::now();
  if (!process_ && start_at_ && now >= *start_at_) start();
  if (!process_ || !process_->status()) return;
  surprises_.push_back(name_ + " " + describe_status(*process_->status()) + ", see " + output_);
  if (surprises_.size() >= kSurprisesMax)
    throw std::runtime_error("too often: " + surprises_.back());
  process_.reset();
  start_at_ = now + milliseconds(200);
}

std::string Service::wait_for_port(const std::string& port_file) {
  const auto until = steady_clock::now() + kStartPatience;
  std::string port;
  while (!(std::ifstream(port_file) >> port)) {
    tick();
    if (!surprises_.empty()) throw std::runtime_error(surprises_.front());
    if (steady_clock::now() >= until) throw std::runtime_error("the " + name_ + " does not start");
    std::this_thread::sleep_for(milliseconds(10));
  }
  return port;
}

}  // namespace demo
