// What the stores on a database server have alike: two databases, and the server below them.
#pragma once

#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "shop_store.hpp"
#include "waybill/testing/server.hpp"

namespace waybill::e2e {

class TwoDatabases : public ServerStore {
 public:
  TwoDatabases(const TwoDatabases&) = delete;
  TwoDatabases& operator=(const TwoDatabases&) = delete;

  std::string address(const std::string& database) const override { return url(database); }
  std::string url(const std::string& database) const override {
    return server_url_.substr(0, server_url_.rfind('/') + 1) + name_ + database;
  }
  void kill() override {
    if (host_ != Host::own) throw std::logic_error("the server is shared");
    server_.kill();
  }
  void start() override { server_.start(); }
  void set_down(bool is_down) override { is_down ? kill() : start(); }

 protected:
  // `server` is its name in tools/servers.
  TwoDatabases(const std::string& server, const std::string& folder, Host host)
      : host_(host), server_(server_of(server, folder, host)) {}

  const Host host_;
  const testing::Server server_;
  const std::string server_url_ = server_.url();
  const std::string name_ = new_name();  // begins the name of each database

 private:
  static testing::Server server_of(const std::string& server, const std::string& folder,
                                   Host host) {
    if (host == Host::shared) return testing::Server::shared(WAYBILL_SERVERS_TOOLS, server);
    // The server's user must reach it, so it is not inside the folder, which is ours alone.
    return testing::Server::own(WAYBILL_SERVERS_TOOLS, server,
                                "/var/tmp/waybill-" + folder.substr(folder.rfind('/') + 1));
  }
  static std::string new_name() {
    static std::atomic<int> next{0};
    return "e2e_" + std::to_string(::getpid()) + "_" + std::to_string(++next) + "_";
  }
};

}  // namespace waybill::e2e
