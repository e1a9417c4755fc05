// The example's services as real processes, for end-to-end tests.
#pragma once

#include <sqlite3.h>

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../../examples/order_points/demo/process.hpp"
#include "../../examples/order_points/tests/program.hpp"

namespace waybill::e2e {

using Arguments = std::vector<std::string>;

// Two services, a relay and a queue in a folder of their own; everything is killed and removed at
// the end.
class Shop {
 public:
  Shop();
  ~Shop();

  // A service that was started before starts again on its port.
  void start_order_service(const std::string& dispatch, const Arguments& more = {});
  void start_points_service(const Arguments& more = {});
  // `name` is also the name in the lease.
  // NAME=value for the process that is started next, and only that.
  void set_environment(Arguments variables) { environment_ = std::move(variables); }
  void start_relay(const Arguments& more = {}, const std::string& name = "relay");

  // The next start of the service has this test point in its environment, e.g.
  // "inbox.after_commit:kill".
  void arm(const std::string& name, const std::string& test_point) { armed_[name] = test_point; }
  // Starts what has ended again, and lets go on what stands still.
  void revive();
  // What the service has written to its log.
  [[nodiscard]] std::string log_of(const std::string& name) const;

  void kill(const std::string& name);  // kill -9; "order_service", "points_service", "relay"
  void stop(const std::string& name);  // SIGTERM, and its exit code must be 0
  void send_signal(const std::string& name, int number);

  // POST /orders; answers the status, 0 when there was no answer.
  int place(const std::string& order_id, bool fail = false);
  // Many orders by the load generator, as fast as it goes. Throws when one is refused.
  void place_many(const std::string& prefix, int orders);
  [[nodiscard]] std::string file(const std::string& name) const { return scratch_.file(name); }

  // The auditor's report after at most `seconds` of waiting until everything is finished.
  [[nodiscard]] boost::json::object audit(int seconds);
  // Runs the waybill program on the order database; answers its output.
  std::string waybill(const std::string& arguments);
  // The first column of every row; as another client would read and write.
  std::vector<std::string> sql(const std::string& database, const std::string& statement);
  // Waits up to 20 s until `statement` answers `wanted`; false when it did not.
  [[nodiscard]] bool wait_for(const std::string& database, const std::string& statement,
                              const std::string& wanted);

 private:
  void start(const std::string& name, Arguments command);
  std::string wait_for_port(const std::string& name);

  order_points::test::Scratch scratch_;
  std::map<std::string, std::unique_ptr<demo::Process>> processes_;
  Arguments environment_;
  std::map<std::string, std::string> armed_;
  std::map<std::string, std::function<void()>> restarts_;
  std::string order_port_ = "0";
};

}  // namespace waybill::e2e
