// Runs programs as an operator's shell does, in a folder of the test's own.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/value.hpp>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waybill::cli {

// Polls until `done` says so, at most 10 s.
template <class Done>
[[nodiscard]] bool wait_until(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

struct Answer {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;

  // `out` as one JSON document; fails the test when it is none.
  [[nodiscard]] boost::json::value json() const;
};

using Variables = std::map<std::string, std::string>;

// A program that runs. **Ownership**: kills and reaps the process when it is still there.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
          const Variables& variables);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  // Waits up to 10 s until standard error contains `text`.
  [[nodiscard]] bool wait_for_log(const std::string& text) const;
  // Waits up to 30 s for the end; kills it and fails the test after that.
  [[nodiscard]] Answer wait();
  [[nodiscard]] std::string err() const;

 private:
  std::filesystem::path out_path_, err_path_;
  int pid_ = -1;
};

// A folder with databases; removed at the end.
class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // The waybill program, in the folder, without any WAYBILL_ variable but `variables`.
  [[nodiscard]] Answer waybill(std::vector<std::string> arguments,
                               const Variables& variables = {}) const;
  [[nodiscard]] std::unique_ptr<Process> start(std::vector<std::string> arguments,
                                               const Variables& variables = {}) const;
  // The sqlite3 shell on a file; returns its output, fails the test on an error.
  std::string sql(const std::string& file, const std::string& statements) const;

  void write(const std::string& name, const std::string& text) const;
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  [[nodiscard]] std::string store_url() const { return "sqlite://" + path("orders.db"); }
  [[nodiscard]] std::string queue_url() const { return "queue://" + path("queue.db"); }

  // Tables, a waybill.toml with store and queue, and a route of order.placed to topic orders.
  void set_up_shop(const std::string& consumers = "") const;
  // Plain SQL, as a service in any language writes it.
  void insert_orders(int first, int count) const;
  [[nodiscard]] std::string states() const;

  std::filesystem::path folder_;
};

}  // namespace waybill::cli
