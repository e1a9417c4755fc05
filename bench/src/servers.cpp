#include "servers.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>

#include "waybill/testing/server.hpp"

namespace waybill::bench {
namespace {

struct Process {
  pid_t parent = 0;
  double seconds = 0;
};

// From /proc: the fields behind the name, which is in brackets and may hold anything.
Process read_process(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == line.npos) return {};
  char state = 0;
  int parent = 0;
  unsigned long user = 0;
  unsigned long system = 0;
  const int read =
      std::sscanf(line.c_str() + name_end + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                  &state, &parent, &user, &system);
  if (read != 4) return {};
  static const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {parent, static_cast<double>(user + system) / ticks};
}

}  // namespace

std::string server_url(const std::string& name) {
  static std::map<std::string, std::string> urls;
  const auto known = urls.find(name);
  if (known != urls.end()) return known->second;
  const auto server = testing::Server::shared(SERVERS_TOOLS, name);
  server.start();
  return urls[name] = server.url();
}

pid_t server_process(const std::string& name) {
  const char* folder = std::getenv("WAYBILL_SERVERS");
  pid_t pid = 0;
  if (folder == nullptr || !(std::ifstream(std::string(folder) + "/" + name + "/pid") >> pid)) {
    throw std::runtime_error("no process id of " + name + " in $WAYBILL_SERVERS");
  }
  return pid;
}

double cpu_seconds(pid_t server) {
  timespec own{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  double sum = static_cast<double>(own.tv_sec) + static_cast<double>(own.tv_nsec) / 1e9;
  if (server == 0) return sum;
  std::map<pid_t, Process> processes;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) throw std::runtime_error("cannot read /proc");
  while (const dirent* entry = readdir(folder)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 0) processes[pid] = read_process(pid);
  }
  closedir(folder);
  for (const auto& [pid, process] : processes) {
    if (pid == server || process.parent == server) sum += process.seconds;
  }
  return sum;
}

}  // namespace waybill::bench
