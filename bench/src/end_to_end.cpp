// embedded.commit_to_points: from an order to its points, through the real programs.
#include <boost/json.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "../../examples/order_points/demo/process.hpp"
#include "bench.hpp"
#include "programs.hpp"
#include "shop.hpp"

namespace waybill::bench {
namespace {

constexpr const char* kOrders = "600";
constexpr const char* kRate = "100";
constexpr int kRounds = 3;
constexpr double kLimitP50 = 20;    // ms
constexpr double kLimitP99 = 5000;  // ms

struct Latency {
  double p50;
  double p99;
};

// Order service, relay and points service as processes of their own; the relay's doorbell is rung
// by the order service.
Latency measure(const std::string& dispatch) {
  const Scratch scratch;
  const auto file = [&](const char* name) { return scratch.file(name); };
  std::ofstream(file("points.key")) << "k1 points a-secret-of-the-benchmark\n";
  const std::string doorbell = scratch.name();

  demo::Process order_service(
      {ORDER_SERVICE, "--db", file("orders.db"), "--queue", file("queue.db"), "--create",
       "--dispatch", dispatch, "--doorbell", doorbell, "--key-file", file("points.key"),
       "--port-file", file("order.port")},
      file("order.log"));
  const std::string url = "http://127.0.0.1:" + wait_for_port(file("order.port"));
  demo::Process relay(
      {"/usr/bin/env", "WAYBILL_RELAY_DOORBELL=" + doorbell, WAYBILL, "relay", "--store",
       "sqlite://" + file("orders.db"), "--queue", "queue://" + file("queue.db")},
      file("relay.log"));
  demo::Process points_service(
      {POINTS_SERVICE, "--db", file("points.db"), "--queue", file("queue.db"), "--create",
       "--key-file", file("points.key"), "--confirm-url", url, "--port-file", file("points.port")},
      file("points.log"));
  static_cast<void>(wait_for_port(file("points.port")));

  run_to_end({LOAD, "--url", url, "--orders", kOrders, "--rate", kRate, "--connections", "4"},
             file("load.log"));
  run_to_end({AUDITOR, "--orders", file("orders.db"), "--points", file("points.db"), "--wait", "30",
              "--json"},
             file("audit.json"));
  const auto audit = boost::json::parse(read_file(file("audit.json")));
  return {audit.at("p50_ms").to_number<double>(), audit.at("p99_ms").to_number<double>()};
}

Benchmark commit_to_points(const std::string& dispatch) {
  const std::string name = "embedded.commit_to_points." + dispatch;
  return {{name + ".p50", name + ".p99"}, [dispatch, name] {
            std::vector<double> p50;
            std::vector<double> p99;
            for (int round = 0; round < kRounds; ++round) {
              const Latency latency = measure(dispatch);
              p50.push_back(latency.p50);
              p99.push_back(latency.p99);
            }
            const std::string rate = std::string(kRate) + " orders a second";
            return std::vector{within(name + ".p50", "ms", rate, kLimitP50, std::move(p50)),
                               within(name + ".p99", "ms", rate, kLimitP99, std::move(p99))};
          }};
}

}  // namespace

std::vector<Benchmark> end_to_end_benchmarks() {
  return {commit_to_points("sync"), commit_to_points("async"), commit_to_points("relay")};
}

}  // namespace waybill::bench
