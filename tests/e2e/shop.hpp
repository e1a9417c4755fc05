// The example's services as real processes, for end-to-end tests.
#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../../examples/order_points/demo/process.hpp"
#include "../../examples/order_points/tests/program.hpp"
#include "shop_broker.hpp"
#include "shop_store.hpp"
#include "waybill/http/client.hpp"

namespace waybill::e2e {

using Arguments = std::vector<std::string>;

// Two services, a relay and a queue in a folder of their own; everything is killed and removed at
// the end.
class Shop {
 public:
  explicit Shop(Host host = Host::shared);
  ~Shop();

  // A service that was started before starts again on its port.
  void start_order_service(const std::string& dispatch, const Arguments& more = {});
  void start_points_service(const Arguments& more = {}, const std::string& name = "points_service");
  // `name` is also the name in the lease.
  void start_relay(const Arguments& more = {}, const std::string& name = "relay");
  // The process that is started next, and only that, has the host's clock that libfaketime makes of
  // these variables.
  void fake_clock(Arguments variables);
  // NAME=value for every relay from now on.
  void set_relay_environment(Arguments variables) { relay_environment_ = std::move(variables); }
  // The process finds its database here from its next start on: as another user, behind a gate.
  void set_url(const std::string& name, const std::string& url) { urls_[name] = url; }
  // The same for its broker, instead of the shop's own.
  void set_broker(const std::string& name, const std::string& url) { brokers_[name] = url; }
  // Whether services create their tables, and the route, when they start.
  void set_creates(bool creates) { creates_ = creates; }

  // Whether to start a service means to wait until it listens; so unless told.
  void set_waits_for_port(bool waits) { waits_for_port_ = waits; }

  // The next start of the service has this test point in its environment, e.g.
  // "inbox.after_commit:kill".
  void arm(const std::string& name, const std::string& test_point) { armed_[name] = test_point; }
  // Starts what has ended again, and lets go on what stands still.
  void revive();
  [[nodiscard]] bool has_ended(const std::string& name);
  // What the service has written to its log.
  [[nodiscard]] std::string log_of(const std::string& name) const;

  void kill(const std::string& name);  // kill -9; "order_service", "points_service", "relay"
  void stop(const std::string& name);  // SIGTERM, and its exit code must be 0
  void send_signal(const std::string& name, int number);

  // How long a customer waits for an answer; 5 s unless told.
  void set_answer_timeout(std::chrono::milliseconds timeout) { answer_timeout_ = timeout; }
  // POST /orders; answers the status, 0 when there was no answer.
  int place(const std::string& order_id, bool fail = false);
  // As a customer would: again until there is an answer. What has ended is started again.
  [[nodiscard]] bool place_until_answered(const std::string& order_id, int seconds = 30);
  // An order and its message by plain SQL, as another service would write them; `headers` as JSON.
  void place_by_sql(const std::string& order_id, const std::string& headers = "");
  // POST to the order service, which is also the confirmations' endpoint.
  http::Response post(const http::Request& request);
  // Many orders by the load generator, as fast as it goes. Throws when one is refused.
  void place_many(const std::string& prefix, int orders);
  [[nodiscard]] std::string file(const std::string& name) const { return scratch_.file(name); }

  // The auditor's report after at most `seconds` of waiting until everything is finished.
  [[nodiscard]] boost::json::object audit(int seconds);
  // Runs the waybill program on the order database.
  order_points::test::ProgramResult waybill(const std::string& arguments);

  [[nodiscard]] ShopStore& store() { return *store_; }
  [[nodiscard]] ShopBroker& broker() { return *broker_; }
  [[nodiscard]] ServerStore& server();  // of tests that are linked with one
  // The first column of every row; `database` is "orders", "points", or "queue": the copies that
  // the broker got, in the table `log`.
  std::vector<std::string> sql(const std::string& database, const std::string& statement);
  // The relay that has the lease, by the name that it was started with; empty = none.
  std::string holder();
  // Looks again and again until `is_so`, at most `seconds`.
  [[nodiscard]] bool wait_until(const std::function<bool()>& is_so, int seconds = 20);
  // Waits at most `seconds` until `statement` answers `wanted`; false when it did not.
  [[nodiscard]] bool wait_for(const std::string& database, const std::string& statement,
                              const std::string& wanted, int seconds = 20);

 private:
  void start(const std::string& name, Arguments command);
  std::string wait_for_port(const std::string& name);

  [[nodiscard]] std::string url_of(const std::string& name, const std::string& url) const;
  [[nodiscard]] std::string broker_of(const std::string& name, const std::string& own) const;

  order_points::test::Scratch scratch_;
  std::unique_ptr<ShopStore> store_;
  std::unique_ptr<ShopBroker> broker_;
  std::map<std::string, std::unique_ptr<SqlClient>> clients_;
  std::map<std::string, std::unique_ptr<demo::Process>> processes_;
  Arguments environment_;
  Arguments relay_environment_;
  std::map<std::string, std::string> urls_;
  std::map<std::string, std::string> brokers_;
  bool creates_ = true;
  bool waits_for_port_ = true;
  std::map<std::string, std::string> armed_;
  std::map<std::string, std::function<void()>> restarts_;
  std::string order_port_ = "0";
  std::chrono::milliseconds answer_timeout_{5000};
};

// At rest, after at most `patience` seconds: this many orders; nothing missing, double, phantom,
// wrong or unfinished.
void expect_right(Shop& shop, int orders, int patience = 30);

// "SELECT COUNT(*) FROM local_message WHERE " + condition.
[[nodiscard]] std::string count(const std::string& condition);
// The copies that the broker got, of whatever message.
inline const std::string kCopies = "SELECT COUNT(*) FROM log";

}  // namespace waybill::e2e
