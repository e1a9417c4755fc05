// What the server does when the process has no file descriptor left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "running_server.hpp"
#include "wire.hpp"

namespace waybill::http::testing {
namespace {

// Lowers the limit of file descriptors to those that are open.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    now.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &now);
    for (int taken = open("/dev/null", O_RDONLY | O_CLOEXEC); taken >= 0;
         taken = open("/dev/null", O_RDONLY | O_CLOEXEC)) {
      taken_.push_back(taken);
    }
  }
  ~NoDescriptors() {
    for (const int taken : taken_) close(taken);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST(Server, waits_without_spinning_until_there_are_file_descriptors_again) {
  RunningServer running(echo);
  const int descriptor = open_socket();
  Wire wire(descriptor);
  {
    const NoDescriptors none;
    connect_socket(descriptor, running.port);
    wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (running.logged("cannot accept") == 0 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    rusage before{};
    rusage after{};
    getrusage(RUSAGE_SELF, &before);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    getrusage(RUSAGE_SELF, &after);
    const auto micros = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
    EXPECT_LT(micros(after.ru_utime) + micros(after.ru_stime) - micros(before.ru_utime) -
                  micros(before.ru_stime),
              150'000);
  }
  EXPECT_TRUE(wire.read_message().starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(running.logged("cannot accept"), 1U);
}

}  // namespace
}  // namespace waybill::http::testing
