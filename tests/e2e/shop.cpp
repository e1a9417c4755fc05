#include "shop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace waybill::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{20};

void look_again_soon() {
  std::this_thread::sleep_for(milliseconds(5));
}

void add(Arguments& command, const Arguments& more) {
  command.insert(command.end(), more.begin(), more.end());
}

bool has(const Arguments& arguments, const std::string& option) {
  return std::find(arguments.begin(), arguments.end(), option) != arguments.end();
}

}  // namespace

Shop::Shop(Host host)
    : store_(make_shop_store(scratch_.folder(), host)),
      broker_(make_shop_broker(scratch_.folder())) {
  std::ofstream(file("points.key")) << "k1 points a-secret-of-the-tests\n";
}

Shop::~Shop() = default;

void Shop::start(const std::string& name, Arguments command) {
  std::filesystem::remove(file(name + ".port"));
  if (const auto armed = armed_.find(name); armed != armed_.end()) {
    command.insert(command.begin(), {"/usr/bin/env", "WAYBILL_TEST_POINT=" + armed->second});
    armed_.erase(armed);
  }
  if (!environment_.empty()) {
    command.insert(command.begin(), environment_.begin(), environment_.end());
    command.insert(command.begin(), "/usr/bin/env");
    environment_.clear();
  }
  processes_[name] = std::make_unique<demo::Process>(command, file(name + ".log"));
}

void Shop::start_order_service(const std::string& dispatch, const Arguments& more) {
  Arguments command = {ORDER_SERVICE,
                       "--db",
                       url_of("order_service", store_->address("orders")),
                       "--queue",
                       broker_of("order_service", broker_->address()),
                       "--dispatch",
                       dispatch,
                       "--key-file",
                       file("points.key"),
                       "--port",
                       order_port_,
                       "--port-file",
                       file("order_service.port")};
  if (creates_) command.push_back("--create");
  if (!has(more, "--topic")) add(command, {"--topic", broker_->destination("orders")});
  add(command, more);
  restarts_["order_service"] = [this, dispatch, more] { start_order_service(dispatch, more); };
  start("order_service", command);
  if (waits_for_port_) order_port_ = wait_for_port("order_service");
}

void Shop::start_points_service(const Arguments& more, const std::string& name) {
  Arguments command = {POINTS_SERVICE,
                       "--db",
                       url_of(name, store_->address("points")),
                       "--queue",
                       broker_of(name, broker_->address()),
                       "--key-file",
                       file("points.key"),
                       "--confirm-url",
                       "http://127.0.0.1:" + order_port_,
                       "--port-file",
                       file(name + ".port")};
  if (creates_) command.push_back("--create");
  if (!has(more, "--topic")) add(command, {"--topic", broker_->source("orders")});
  if (!has(more, "--group")) add(command, {"--group", broker_->source("orders")});
  add(command, more);
  restarts_[name] = [this, more, name] { start_points_service(more, name); };
  start(name, command);
  if (waits_for_port_) wait_for_port(name);
}

void Shop::start_relay(const Arguments& more, const std::string& name) {
  Arguments command = {"/usr/bin/env", "WAYBILL_RELAY_HOLDER=" + name};
  command.insert(command.end(), relay_environment_.begin(), relay_environment_.end());
  command.insert(command.end(), {WAYBILL, "relay", "--store", url_of(name, store_->url("orders")),
                                 "--queue", broker_of(name, broker_->url())});
  add(command, more);
  restarts_[name] = [this, more, name] { start_relay(more, name); };
  start(name, command);
}

void Shop::fake_clock(Arguments variables) {
  environment_ = std::move(variables);
  // The last one is for the address sanitizer, which wants to be the first library.
  for (const char* variable : {"LD_PRELOAD=" LIBFAKETIME, "FAKETIME_DONT_FAKE_MONOTONIC=1",
                               "ASAN_OPTIONS=verify_asan_link_order=0"}) {
    environment_.emplace_back(variable);
  }
}

std::string Shop::url_of(const std::string& name, const std::string& url) const {
  const auto own = urls_.find(name);
  return own == urls_.end() ? url : own->second;
}

std::string Shop::broker_of(const std::string& name, const std::string& own) const {
  const auto told = brokers_.find(name);
  return told == brokers_.end() ? own : told->second;
}

bool Shop::has_ended(const std::string& name) {
  return processes_.at(name)->status().has_value();
}

void Shop::revive() {
  std::vector<std::string> ended;
  for (const auto& [name, process] : processes_) {
    process->signal(SIGCONT);
    if (process->status()) ended.push_back(name);
  }
  for (const std::string& name : ended) {
    const auto restart = restarts_.at(name);  // a copy: it replaces the original
    restart();
  }
}

std::string Shop::log_of(const std::string& name) const {
  std::ifstream log(file(name + ".log"));
  return {std::istreambuf_iterator<char>(log), {}};
}

std::string Shop::wait_for_port(const std::string& name) {
  const auto until = steady_clock::now() + kPatience;
  std::string port;
  while (!(std::ifstream(file(name + ".port")) >> port)) {
    if (processes_[name]->status() || steady_clock::now() > until) {
      throw std::runtime_error(name + " does not start: " + log_of(name));
    }
    look_again_soon();
  }
  return port;
}

void Shop::kill(const std::string& name) {
  processes_.at(name)->signal(SIGKILL);
  processes_.at(name)->finish(milliseconds(5000));
  processes_.erase(name);
}

void Shop::stop(const std::string& name) {
  processes_.at(name)->signal(SIGTERM);
  const int status = processes_.at(name)->finish(milliseconds(10000));
  processes_.erase(name);
  if (status != 0) throw std::runtime_error(name + " ended with " + demo::describe_status(status));
}

void Shop::send_signal(const std::string& name, int number) {
  processes_.at(name)->signal(number);
}

http::Response Shop::post(const http::Request& request) {
  http::ClientOptions options;
  options.base_url = "http://127.0.0.1:" + order_port_;
  options.timeout = answer_timeout_;
  http::Client client(options);
  const auto response = client.send(request);
  return response ? *response : http::Response{.status = 0};
}

int Shop::place(const std::string& order_id, bool fail) {
  http::Request request;
  request.method = "POST";
  request.target = "/orders";
  request.body = boost::json::serialize(boost::json::object{
      {"order_id", order_id}, {"user_id", "u1"}, {"amount_cents", 4250}, {"fail", fail}});
  return post(request).status;
}

void Shop::place_by_sql(const std::string& order_id, const std::string& headers) {
  const std::string now = std::to_string(
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  sql("orders",
      "BEGIN; INSERT INTO orders (order_id, user_id, amount_cents, points, created_at)"
      " VALUES ('" +
          order_id + "', 'u1', 4250, 42, " + now +
          ");"
          "INSERT INTO local_message (message_type, biz_type, identifier, content" +
          (headers.empty() ? "" : ", headers") + ") VALUES ('order.placed', 'order', '" + order_id +
          "', '{\"order_id\":\"" + order_id + "\",\"user_id\":\"u1\",\"points\":42}'" +
          (headers.empty() ? "" : ", '" + headers + "'") + "); COMMIT");
}

void Shop::place_many(const std::string& prefix, int orders) {
  const auto result = order_points::test::run_program(
      std::string(LOAD) + " --url http://127.0.0.1:" + order_port_ + " --prefix " + prefix +
      " --connections 8 --orders " + std::to_string(orders));
  if (result.exit_code != 0) throw std::runtime_error("load: " + result.output);
}

boost::json::object Shop::audit(int seconds) {
  const auto result = order_points::test::run_program(
      std::string(AUDITOR) + " --orders " + store_->address("orders") + " --points " +
      store_->address("points") + " --json --wait " + std::to_string(seconds));
  boost::system::error_code failed;
  const auto report = boost::json::parse(result.output, failed);
  if (failed) throw std::runtime_error("the auditor said: " + result.output);
  return report.as_object();
}

order_points::test::ProgramResult Shop::waybill(const std::string& arguments) {
  return order_points::test::run_program(std::string(WAYBILL) + " " + arguments + " --store " +
                                         url_of("waybill", store_->url("orders")));
}

ServerStore& Shop::server() {
  return dynamic_cast<ServerStore&>(*store_);
}

std::vector<std::string> Shop::sql(const std::string& database, const std::string& statement) {
  if (database == "queue") return open_sqlite(broker_->log_file())->query(statement);
  auto& client = clients_[database];
  if (!client) client = store_->connect(store_->url(database));
  return client->query(statement);
}

std::string Shop::holder() {
  const std::string name = sql("orders", "SELECT holder FROM local_message_lease").at(0);
  return name.substr(0, name.find('#'));
}

bool Shop::wait_until(const std::function<bool()>& is_so, int seconds) {
  const auto until = steady_clock::now() + std::chrono::seconds(seconds);
  while (!is_so()) {
    if (steady_clock::now() > until) return false;
    look_again_soon();
  }
  return true;
}

bool Shop::wait_for(const std::string& database, const std::string& statement,
                    const std::string& wanted, int seconds) {
  return wait_until(
      [&] {
        const auto answer = sql(database, statement);
        return !answer.empty() && answer[0] == wanted;
      },
      seconds);
}

bool Shop::place_until_answered(const std::string& order_id, int seconds) {
  return wait_until(
      [&] {
        const int status = place(order_id);
        if (status == 200 || status == 201) return true;
        revive();
        return false;
      },
      seconds);
}

void expect_right(Shop& shop, int orders, int patience) {
  const auto report = shop.audit(patience);
  EXPECT_EQ(report.at("orders").as_int64(), orders) << boost::json::serialize(report);
  for (const char* name : {"missing", "double", "phantom", "wrong", "unfinished"}) {
    EXPECT_EQ(report.at(name).as_int64(), 0) << name << ": " << boost::json::serialize(report);
  }
}

std::string count(const std::string& condition) {
  return "SELECT COUNT(*) FROM local_message WHERE " + condition;
}

}  // namespace waybill::e2e
