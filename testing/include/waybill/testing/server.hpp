// A real server for tests: what tools/servers starts, stops and kills.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

namespace waybill::testing {

// **Thread safety**: confined to one thread.
class Server {
 public:
  // The one that ctest started for all tests of this checkout, already running. Do not stop it.
  static Server shared(const std::string& tools, const std::string& name) { return {tools, name}; }

  // One that belongs to this object, in `folder`: to be stopped, killed and wiped by its test.
  // `environment` is what its script reads of it, as a shell has it: "NAME='value'".
  static Server own(const std::string& tools, const std::string& name, const std::string& folder,
                    const std::string& environment = {}) {
    Server server(tools, name);
    server.folder_ = folder;
    server.environment_ = environment;
    server.start();
    return server;
  }
  Server(Server&& other) noexcept
      : tools_(std::move(other.tools_)),
        name_(std::move(other.name_)),
        folder_(std::exchange(other.folder_, "")),
        environment_(std::move(other.environment_)) {}
  Server& operator=(Server&&) = delete;
  ~Server() {
    if (!folder_.empty() && std::system(command("wipe").c_str()) != 0) std::perror("wipe");
  }

  [[nodiscard]] std::string url() const { return run("url"); }
  void start() const { run("start"); }  // returns when it is ready; comes back on the same port
  void stop() const { run("stop"); }
  void kill() const { run("kill"); }  // SIGKILL
  // A server of one process takes no step, but closes nothing.
  void suspend() const { run("suspend"); }
  void resume() const { run("resume"); }
  // Ended by SIGKILL, and nothing left of what it kept; comes back on the same port.
  void kill_and_empty() const {
    kill();
    std::filesystem::remove_all(folder_ + "/" + name_ + "/data");
  }
  void control(const std::string& arguments) const { run("ctl " + arguments); }  // RabbitMQ's

 private:
  Server(std::string tools, std::string name) : tools_(std::move(tools)), name_(std::move(name)) {}

  [[nodiscard]] std::string command(const std::string& verb) const {
    const std::string folder = folder_.empty() ? "" : "WAYBILL_SERVERS='" + folder_ + "' ";
    return environment_ + " " + folder + "'" + tools_ + "/" + name_ + "' " + verb;
  }

  std::string run(const std::string& verb) const {
    std::FILE* pipe = ::popen(command(verb).c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error("cannot run " + command(verb));
    std::string output;
    std::array<char, 256> part{};
    while (std::fgets(part.data(), part.size(), pipe) != nullptr) output += part.data();
    if (::pclose(pipe) != 0) throw std::runtime_error(command(verb) + " failed");
    while (output.ends_with('\n')) output.pop_back();
    return output;
  }

  std::string tools_;
  std::string name_;
  std::string folder_;  // empty: the shared one
  std::string environment_;
};

}  // namespace waybill::testing
