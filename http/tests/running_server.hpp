// A started server with what it logged.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "waybill/http/server.hpp"

namespace waybill::http::testing {

class RunningServer {
 public:
  explicit RunningServer(Handler handler, ServerOptions options = {})
      : server(with_log(std::move(options)), std::move(handler)) {
    const auto started = server.start();
    EXPECT_TRUE(started.ok()) << (started.ok() ? "" : started.error().to_string());
    if (started) port = *started;
  }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

  [[nodiscard]] std::size_t logged(std::string_view part) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(
        log_.begin(), log_.end(),
        [&](const std::string& text) { return text.find(part) != std::string::npos; }));
  }

 private:
  ServerOptions with_log(ServerOptions options) {
    options.log = [this](LogLevel, std::string_view text) {
      const std::lock_guard lock(mutex_);
      log_.emplace_back(text);
    };
    return options;
  }

  std::mutex mutex_;  // guards the member below
  std::vector<std::string> log_;

 public:
  Server server;
  std::uint16_t port = 0;
};

// Answers what came.
inline Response echo(const Request& request) {
  return {.status = 200,
          .content_type = "text/plain",
          .body = request.method + " " + request.target + " " + request.body};
}

}  // namespace waybill::http::testing
