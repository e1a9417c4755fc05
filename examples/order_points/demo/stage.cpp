#include "stage.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "../database.hpp"

namespace demo {
namespace {
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr double kRollback = 0.08;
constexpr double kRepeat = 0.08;
constexpr double kBySql = 0.1;
// As for the services in Victim: longer than it needs to come back, so that each kill shows a
// recovery and not just an outage.
// A broker on a server comes back slowly, and so do its consumers: a group waits for its dead
// member.
constexpr std::chrono::seconds kSparedWithBroker{20};

}  // namespace

Stage::Stage(Setting setting, StageOptions options)
    : setting_(std::move(setting)),
      options_(std::move(options)),
      order_("order service", file("order_service.log"), [this] { return order_command(); }),
      relay_("relay", file("relay.log"), [this] { return relay_command("relay"); }),
      standby_("second relay", file("second_relay.log"),
               [this] { return relay_command("second relay"); }),
      points_("points service", file("points_service.log"),
              [this] { return points_command("waybill", true); }),
      naive_order_("naive order service", file("naive_order_service.log"),
                   [this] { return naive_command(); }),
      naive_points_("naive points service", file("naive_points_service.log"),
                    [this] { return points_command("naive", false); }) {
  if (!setting_.broker.empty()) {
    victims_.back().spared = kSparedWithBroker;
    victims_.push_back({{}, kSparedWithBroker, steady_clock::now() + kSparedWithBroker / 4});
  }
}

std::string Stage::file(const std::string& name) const {
  return setting_.file(name);
}

std::string Stage::program(const std::string& name) const {
  return setting_.program(name);
}

std::string Stage::database(const std::string& side, const std::string& name) const {
  const std::string both = side + "_" + name;
  return side == "naive" ? file(both + ".db") : setting_.database(both);
}

std::string Stage::queue(const std::string& side) const {
  return setting_.broker.empty() ? file(side + "_queue.db") : setting_.broker;
}

std::string Stage::topic(const std::string& side) const {
  return side == "waybill" ? "orders" : side + "_orders";
}

// Each start draws its faults anew.
std::vector<std::string> Stage::faults(std::uint64_t salt) const {
  return {"--fault-lose-ack", kLoseAck,       "--fault-lose-publish",
          kLosePublish,       "--fault-seed", std::to_string(options_.seed + salt)};
}

std::vector<std::string> Stage::order_command() {
  return join({program("order_service"), "--db", database("waybill", "orders"), "--queue",
               queue("waybill"), "--create", "--dispatch", mode_, "--port", order_port_,
               "--port-file", file("order_service.port"), "--key-file", file("points.key")},
              faults(++starts_));
}

std::vector<std::string> Stage::naive_command() {
  return join({program("naive_order_service"), "--db", file("naive_orders.db"), "--queue",
               queue("naive"), "--topic", topic("naive"), "--port", naive_port_, "--port-file",
               file("naive_order_service.port")},
              faults(++starts_));
}

// Two relays: one works, the other stands by.
std::vector<std::string> Stage::relay_command(const std::string& name) {
  const std::string url = (setting_.broker.empty() ? "queue://" : "") + queue("waybill");
  return {"/usr/bin/env", "WAYBILL_RELAY_HOLDER=" + name,       setting_.waybill, "relay",
          "--store",      setting_.store_url("waybill_orders"), "--queue",        url};
}

std::string Stage::waybill(const std::vector<std::string>& arguments) {
  return setting_.run_waybill(join(arguments, {"--store", setting_.store_url("waybill_orders")}),
                              [this] { tick(); });
}

std::vector<std::string> Stage::points_command(const std::string& side, bool confirms) {
  std::vector<std::string> command = {program("points_service"),
                                      "--db",
                                      database(side, "points"),
                                      "--queue",
                                      queue(side),
                                      "--topic",
                                      topic(side),
                                      "--group",
                                      side + "_points",
                                      "--instance",
                                      "points-1",
                                      "--create",
                                      "--port",
                                      "0",
                                      "--port-file",
                                      file(side + "_points_service.port")};
  if (!confirms) return join(command, {"--no-inbox"});
  for (int user = 0; user < frozen_accounts_; ++user)
    command = join(command, {"--freeze", "u" + std::to_string(user)});
  return join(command,
              {"--key-file", file("points.key"), "--confirm-url", "http://127.0.0.1:" + order_port_,
               "--fault-lose-confirmation", kLoseConfirmation, "--fault-seed",
               std::to_string(options_.seed + ++starts_)});
}

void Stage::open() {
  for (const std::string name : {"waybill_orders", "waybill_points"})
    setting_.create_database(name);
  std::ofstream(file("points.key")) << new_key();
  order_.start();
  naive_order_.start();
  order_port_ = order_.wait_for_port(file("order_service.port"));
  naive_port_ = naive_order_.wait_for_port(file("naive_order_service.port"));
  if (!setting_.broker.empty()) {
    // Of the route that the order service wrote, and the naive one's, which has none.
    waybill({"broker", "apply", "--queue", setting_.broker});
    waybill({"broker", "apply", topic("naive"), "--queue", setting_.broker});
  }
  relay_.start();
  standby_.start();
  points_.start();
  naive_points_.start();
  static_cast<void>(points_.wait_for_port(file("waybill_points_service.port")));
  static_cast<void>(naive_points_.wait_for_port(file("naive_points_service.port")));
}

void Stage::set_mode(const std::string& mode) {
  if (mode == mode_) return;
  mode_ = mode;
  order_.restart();
}

void Stage::freeze(int accounts) {
  frozen_accounts_ = accounts;
  once_frozen_ = std::max(once_frozen_, accounts);
  points_.restart();
}

Messages Stage::messages() {
  const auto status = boost::json::parse(waybill({"status", "--no-wait"})).as_object();
  Messages messages;
  // The fence grows with each change of holder.
  messages.takeovers = status.at("lease").at("fence").as_int64() - 1;
  for (const auto& entry : status.at("states").as_array()) {
    const std::int64_t rows = entry.at("rows").as_int64();
    if (entry.at("state") == "DEAD") {
      messages.dead += rows;
    } else if (entry.at("state") != "SUCCESS") {
      messages.waiting += rows;
    }
  }
  return messages;
}

void Stage::replay_dead() {
  waybill({"messages", "replay", "--all-matching", "--state", "DEAD", "--yes", "--reason",
           "the account is no longer frozen"});
}

void Stage::kill_one(std::mt19937_64& random) {
  const auto now = steady_clock::now();
  std::vector<Victim*> ready;
  for (Victim& victim : victims_)
    if (now >= victim.spared_until && !(victim.services.empty() && broker_crash_.valid()))
      ready.push_back(&victim);
  if (ready.empty()) return;
  Victim& victim = *ready[random() % ready.size()];
  victim.spared_until = now + victim.spared;
  if (victim.services.empty()) {
    broker_crash_ = std::async(std::launch::async, options_.crash_broker);
    ++broker_kills_;
  }
  const milliseconds down(std::uniform_int_distribution<int>(50, 500)(random));
  for (Service* service : victim.services) service->kill(down);
}

void Stage::tick() {
  for (Service* service : {&order_, &relay_, &standby_, &points_, &naive_order_, &naive_points_})
    service->tick();
  if (!broker_crash_.valid() ||
      broker_crash_.wait_for(milliseconds(0)) != std::future_status::ready) {
    return;
  }
  broker_crash_.get();  // throws what kept the broker from coming back
  // From here on, not from its kill: on a slow machine it would be away most of the time.
  victims_.back().spared_until = steady_clock::now() + victims_.back().spared;
}

void Stage::start_load(const std::string& side, std::vector<std::string> arguments) {
  const std::string told = file(side + "_told.tsv");
  arguments =
      join({program("load"), "--give-up", "60", "--rollback", std::to_string(kRollback), "--repeat",
            std::to_string(kRepeat), "--seed", std::to_string(options_.seed), "--told", told},
           arguments);
  loads_.push_back({side, std::make_unique<Process>(arguments, file(side + "_load.log"))});
}

void Stage::start_loads(const std::string& phase, std::uint32_t orders, double rate) {
  const auto by_sql =
      std::max<std::uint32_t>(static_cast<std::uint32_t>(static_cast<double>(orders) * kBySql), 1);
  const std::uint32_t by_http = std::max<std::uint32_t>(orders - by_sql, 1);
  const auto arguments = [&](const std::string& prefix, std::uint32_t some) {
    return std::vector<std::string>{
        "--orders", std::to_string(some), "--rate",  std::to_string(rate * some / orders),
        "--prefix", phase + prefix,       "--table", "local_message"};
  };
  start_load("waybill", join(arguments("-", by_http),
                             {"--connections", "6", "--url", "http://127.0.0.1:" + order_port_}));
  start_load("waybill", join(arguments("-sql-", by_sql),
                             {"--connections", "1", "--sql", database("waybill", "orders")}));
  start_load("naive", join(arguments("-", orders),
                           {"--connections", "6", "--url", "http://127.0.0.1:" + naive_port_}));
}

bool Stage::loads_done() {
  std::erase_if(loads_, [&](Load& load) {
    const std::optional<int> status = load.process->status();
    if (!status) return false;
    if (*status != 0 && load.name == "waybill")
      failed_loads_.push_back("customers of waybill: " + describe_status(*status) + ", see " +
                              file("waybill_load.log"));
    return true;
  });
  return loads_.empty();
}

std::uint64_t Stage::answered() const {
  std::ifstream told(file("waybill_told.tsv"));
  return static_cast<std::uint64_t>(std::count(std::istreambuf_iterator<char>(told), {}, '\n'));
}

int Stage::kills() const {
  return order_.kills() + relay_.kills() + standby_.kills() + points_.kills() + broker_kills_;
}

std::vector<std::string> Stage::surprises() const {
  std::vector<std::string> all = failed_loads_;
  for (const Service* service : {&order_, &relay_, &standby_, &points_})
    all.insert(all.end(), service->surprises().begin(), service->surprises().end());
  return all;
}

std::string Stage::audit(const std::string& side, int wait_seconds) {
  std::vector<std::string> more = {"--told", file(side + "_told.tsv"), "--wait",
                                   std::to_string(wait_seconds)};
  for (int user = 0; user < once_frozen_; ++user)
    more = join(more, {"--held-up", "u" + std::to_string(user)});
  return setting_.audit(database(side, "orders"), database(side, "points"), more,
                        [this] { tick(); });
}

}  // namespace demo
