// embedded.commit_to_points: from the commit of an order to its points, through real processes.
#include <boost/json.hpp>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "../../examples/order_points/demo/process.hpp"
#include "bench.hpp"
#include "shop.hpp"

namespace waybill::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Arguments = std::vector<std::string>;

constexpr const char* kOrders = "600";
constexpr const char* kRate = "100";

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string wait_for_port(const std::string& file) {
  const auto until = steady_clock::now() + std::chrono::seconds(20);
  while (steady_clock::now() < until) {
    std::string port;
    if (std::ifstream(file) >> port) return port;
    std::this_thread::sleep_for(milliseconds(5));
  }
  throw std::runtime_error("a service does not start");
}

void run_to_end(const Arguments& command, const std::string& output) {
  demo::Process program(command, output);
  if (program.finish(std::chrono::minutes(2)) != 0) {
    throw std::runtime_error(command[0] + " failed: " + read_file(output));
  }
}

std::vector<Measurement> commit_to_points(const std::string& dispatch) {
  const Scratch scratch;
  std::ofstream(scratch.file("points.key")) << "k1 points a-secret-of-the-benchmark\n";
  const Arguments order_command = {ORDER_SERVICE,
                                   "--db",
                                   scratch.file("orders.db"),
                                   "--queue",
                                   scratch.file("queue.db"),
                                   "--create",
                                   "--dispatch",
                                   dispatch,
                                   "--relay",
                                   "--key-file",
                                   scratch.file("points.key"),
                                   "--port-file",
                                   scratch.file("order.port")};
  demo::Process order_service(order_command, scratch.file("order.log"));
  const std::string url = "http://127.0.0.1:" + wait_for_port(scratch.file("order.port"));
  const Arguments points_command = {POINTS_SERVICE,
                                    "--db",
                                    scratch.file("points.db"),
                                    "--queue",
                                    scratch.file("queue.db"),
                                    "--create",
                                    "--key-file",
                                    scratch.file("points.key"),
                                    "--confirm-url",
                                    url,
                                    "--port-file",
                                    scratch.file("points.port")};
  demo::Process points_service(points_command, scratch.file("points.log"));
  static_cast<void>(wait_for_port(scratch.file("points.port")));
  run_to_end({LOAD, "--url", url, "--orders", kOrders, "--rate", kRate, "--connections", "4"},
             scratch.file("load.log"));
  run_to_end({AUDITOR, "--orders", scratch.file("orders.db"), "--points", scratch.file("points.db"),
              "--wait", "30", "--json"},
             scratch.file("audit.json"));
  const auto audit = boost::json::parse(read_file(scratch.file("audit.json"))).as_object();
  const auto entry = [&](const char* percentile, const char* key, double limit) {
    Measurement m = summarise(
        "embedded.commit_to_points." + dispatch + "." + percentile, "ms",
        std::string("limit ") + (limit < 100 ? "20" : "5000") + " ms, at 100 orders a second",
        "lower", {audit.at(key).to_number<double>()});
    m.ratio = m.value / limit;
    return m;
  };
  return {entry("p50", "p50_ms", 20), entry("p99", "p99_ms", 5000)};
}

}  // namespace

std::vector<Benchmark> end_to_end_benchmarks() {
  return {{"embedded.commit_to_points", [] {
             std::vector<Measurement> all;
             for (const char* dispatch : {"sync", "async", "relay"}) {
               for (Measurement& m : commit_to_points(dispatch)) all.push_back(std::move(m));
             }
             return all;
           }}};
}

}  // namespace waybill::bench
