// The demo's stage: both pairs of services, their files, and the loads that play on them.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "process.hpp"
#include "setting.hpp"

namespace demo {

struct StageOptions {
  // Ends the broker by kill -9 and starts it again; takes seconds, and any thread.
  std::function<void()> crash_broker;
  std::uint64_t seed = 1;
};

// Lost on purpose, as fractions.
inline constexpr const char* kLoseAck = "0.05";
inline constexpr const char* kLosePublish = "0.03";
inline constexpr const char* kLoseConfirmation = "0.05";

// Waybill's side, as its operators see it.
struct Messages {
  std::int64_t waiting = 0;  // neither finished nor DEAD
  std::int64_t dead = 0;
  std::int64_t takeovers = 0;  // of the lease, since the beginning
};

class Stage {
 public:
  Stage(Setting setting, StageOptions options);

  // Creates databases, keys and queues, and waits until every server answers.
  void open();
  // The order service starts again with this dispatch mode.
  void set_mode(const std::string& mode);
  // The points service starts again, and refuses points for this many of the 100 accounts.
  void freeze(int accounts);
  [[nodiscard]] Messages messages();
  // As an operator: every DEAD message again, once the reason is mended.
  void replay_dead();
  // Kills one of order service, relay, points service, and its naive counterpart, or the broker of
  // both; not one that was killed a moment ago.
  void kill_one(std::mt19937_64& random);
  void tick();

  // Customers of both sides place `orders` each at `rate` per second; some of waybill's by SQL.
  void start_loads(const std::string& phase, std::uint32_t orders, double rate);
  // True when every customer of the current loads has finished.
  [[nodiscard]] bool loads_done();
  // Orders whose outcome waybill's customers know.
  [[nodiscard]] std::uint64_t answered() const;

  // Of waybill's side.
  [[nodiscard]] int kills() const;
  // What went wrong beside the data: crashed servers, customers without an answer.
  [[nodiscard]] std::vector<std::string> surprises() const;
  // Runs the auditor; its JSON.
  [[nodiscard]] std::string audit(const std::string& side, int wait_seconds);

 private:
  [[nodiscard]] std::string file(const std::string& name) const;
  // Of "orders" or "points": a file, or a URL on the server. The naive side has files always.
  [[nodiscard]] std::string database(const std::string& side, const std::string& name) const;
  // The broker as the services name it.
  [[nodiscard]] std::string queue(const std::string& side) const;
  [[nodiscard]] std::string topic(const std::string& side) const;
  [[nodiscard]] std::string program(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> faults(std::uint64_t salt) const;
  std::vector<std::string> order_command();
  std::vector<std::string> naive_command();
  std::vector<std::string> relay_command(const std::string& name);
  // Runs the waybill program on the order database; its answer as JSON.
  std::string waybill(const std::vector<std::string>& arguments);
  std::vector<std::string> points_command(const std::string& side, bool confirms);
  void start_load(const std::string& side, std::vector<std::string> arguments);

  // Services that are killed together; none: the broker.
  struct Victim {
    std::vector<Service*> services;
    std::chrono::seconds spared{5};
    SteadyTime spared_until{};
  };
  struct Load {
    std::string name;
    std::unique_ptr<Process> process;
  };

  const Setting setting_;
  const StageOptions options_;
  std::string mode_ = "sync";
  std::string order_port_ = "0", naive_port_ = "0";
  std::uint64_t starts_ = 0;
  int frozen_accounts_ = 0;
  int once_frozen_ = 0;  // the most of them; their orders waited for an operator
  Service order_, relay_, standby_, points_, naive_order_, naive_points_;
  std::vector<Victim> victims_ = {
      {{&order_, &naive_order_}}, {{&relay_}}, {{&standby_}}, {{&points_, &naive_points_}}};
  std::future<void> broker_crash_;
  int broker_kills_ = 0;
  std::vector<Load> loads_;
  std::vector<std::string> failed_loads_;
};

}  // namespace demo
