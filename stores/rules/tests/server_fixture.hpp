// Databases on a server of tools/servers. A client is an adapter's: it knows nothing of waybill,
// runs statements, and says how its server is called and what it likes at CREATE and DROP DATABASE.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "store_fixture.hpp"
#include "waybill/testing/server.hpp"
#include "waybill/testing/server_store_conformance.hpp"

namespace waybill::store {

// On the server that ctest started, or on another.
template <class OfAdapter, class Options>
class ServerDatabase {
 public:
  using Client = OfAdapter;

  explicit ServerDatabase(const std::string& create = Client::kCreate,
                          std::string server_url = shared_url())
      : server_url_(std::move(server_url)), name_(new_name()) {
    Client(server_url_).query("CREATE DATABASE " + name_ + " " + create);
    client_ = std::make_unique<Client>(url());
  }
  ~ServerDatabase() {
    try {
      Client(server_url_).query("DROP DATABASE " + name_ + " " + Client::kDrop);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  ServerDatabase(const ServerDatabase&) = delete;
  ServerDatabase& operator=(const ServerDatabase&) = delete;

  [[nodiscard]] static const std::string& shared_url() {
    static const std::string url =
        testing::Server::shared(WAYBILL_SERVERS_TOOLS, Client::kServer).url();
    return url;
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string url() const { return url_of(name_); }
  // Of another database on this server.
  [[nodiscard]] std::string url_of(const std::string& name) const {
    return server_url_.substr(0, server_url_.rfind('/') + 1) + name;
  }
  [[nodiscard]] Options options() const {
    Options options;
    options.url = url();
    return options;
  }
  // The first column of every row of the last statement.
  std::vector<std::string> query(const std::string& sql) const { return client_->query(sql); }

 private:
  static std::string new_name() {
    static std::atomic<int> next{0};
    return "waybill_" + std::to_string(::getpid()) + "_" + std::to_string(++next);
  }

  const std::string server_url_;
  const std::string name_;
  std::unique_ptr<Client> client_;
};

enum class Host { shared, own };

// What a StoreServer is but for its database's SQL.
template <class Shop>
class FixtureServer : public testing::StoreServer {
  using Database = typename Shop::Database;
  using Client = typename Database::Client;

 public:
  explicit FixtureServer(Host host)
      : own_(host == Host::own ? std::make_unique<testing::Server>(testing::Server::own(
                                     WAYBILL_SERVERS_TOOLS, Client::kServer,
                                     "/var/tmp/waybill-own-" + std::to_string(::getpid())))
                               : nullptr),
        shop_(Client::kCreate, own_ ? own_->url() : Database::shared_url()),
        beside_(shop_.options().url) {}

  testing::StoreFixture& database() override { return shop_; }
  std::uint16_t port() const override {
    const std::string url = shop_.options().url;
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  std::unique_ptr<MessageStore> open_store(std::uint16_t at, Millis answer_timeout) override {
    auto options = shop_.options();
    const std::string own = std::to_string(port());
    options.url.replace(options.url.rfind(":" + own) + 1, own.size(), std::to_string(at));
    options.answer_timeout = answer_timeout;
    options.lock_timeout = answer_timeout / 2;
    return must(open_message_store(options));
  }
  int waiting_statements() override { return shop_.waiting_statements(); }
  void execute_beside(const std::string& sql) override { beside_.query(sql); }
  void kill() override { own_->kill(); }
  void start() override { own_->start(); }

 private:
  const std::unique_ptr<testing::Server> own_;  // or none
  Shop shop_;
  Client beside_;
};

}  // namespace waybill::store
