// *.commit_to_points: from an order to its points, through the real programs, open loop.
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../examples/order_points/demo/process.hpp"
#include "bench.hpp"
#include "postgres_shop.hpp"
#include "programs.hpp"
#include "servers.hpp"
#include "shop.hpp"
#include "waybill/brokers/kafka.hpp"
#include "waybill/brokers/rabbitmq.hpp"

namespace waybill::bench {
namespace {

constexpr int kRounds = 3;
constexpr int kEmbeddedRate = 100;
constexpr int kSeconds = 4;          // of load on servers
constexpr double kLimitP50 = 20;     // ms, embedded
constexpr double kLimitP99 = 5000;   // ms
const std::string kCustomers = "8";  // at once; the order service has a thread for each

struct Outcome {
  double p50;
  double p99;
  double placed_per_second;
  std::string memory;  // peaks of the programs
};

// Where the services keep and send what they have.
struct Place {
  std::string orders;  // databases, as the services take them
  std::string points;
  std::string queue;
  std::string topic;
  std::string relay_store;  // URLs, as waybill takes them
  std::string relay_queue;
};

// Order service, relay and points service as processes of their own; the relay's doorbell is rung
// by the order service.
Outcome measure(const Scratch& scratch, const Place& place, const std::string& dispatch, int orders,
                int rate) {
  const auto file = [&](const char* name) { return scratch.file(name); };
  std::ofstream(file("points.key")) << "k1 points a-secret-of-the-benchmark\n";
  const std::string doorbell = std::filesystem::path(scratch.path()).filename().string();

  demo::Process order_service(
      {ORDER_SERVICE, "--db", place.orders, "--queue", place.queue, "--topic", place.topic,
       "--create", "--dispatch", dispatch, "--doorbell", doorbell, "--key-file", file("points.key"),
       "--threads", kCustomers, "--port-file", file("order.port")},
      file("order.log"));
  const std::string url = "http://127.0.0.1:" + wait_for_port(file("order.port"));
  demo::Process relay({"/usr/bin/env", "WAYBILL_RELAY_DOORBELL=" + doorbell, WAYBILL, "relay",
                       "--store", place.relay_store, "--queue", place.relay_queue},
                      file("relay.log"));
  demo::Process points_service(
      {POINTS_SERVICE, "--db", place.points, "--queue", place.queue, "--topic", place.topic,
       "--create", "--key-file", file("points.key"), "--confirm-url", url, "--port-file",
       file("points.port")},
      file("points.log"));
  static_cast<void>(wait_for_port(file("points.port")));

  const auto place_orders = [&](int count, const std::string& prefix) {
    const auto started = std::chrono::steady_clock::now();
    run_to_end({LOAD, "--url", url, "--orders", std::to_string(count), "--prefix", prefix, "--rate",
                std::to_string(rate), "--connections", kCustomers},
               file("load.log"));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    std::ofstream(file("audit.json"), std::ios::trunc);
    run_to_end(
        {AUDITOR, "--orders", place.orders, "--points", place.points, "--wait", "30", "--json"},
        file("audit.json"));
    return count / took.count();
  };
  // A consumer takes its time to join its group; so few do not show at p99.
  place_orders(2, "first-");
  const double placed = place_orders(orders, "order-");
  const auto audit = boost::json::parse(read_file(file("audit.json")));
  const auto peak = [](const demo::Process& of) { return figure(peak_memory(of.pid())); };
  return {audit.at("p50_ms").to_number<double>(), audit.at("p99_ms").to_number<double>(), placed,
          "order service " + peak(order_service) + ", relay " + peak(relay) + ", points service " +
              peak(points_service) + " MiB"};
}

Outcome measure_embedded(const std::string& dispatch) {
  const Scratch scratch;
  const Place place{scratch.file("orders.db"),
                    scratch.file("points.db"),
                    scratch.file("queue.db"),
                    "orders",
                    "sqlite://" + scratch.file("orders.db"),
                    "queue://" + scratch.file("queue.db")};
  return measure(scratch, place, dispatch, 6 * kEmbeddedRate, kEmbeddedRate);
}

Benchmark embedded_to_points(const std::string& dispatch) {
  const std::string name = "embedded.commit_to_points." + dispatch;
  return {{name + ".p50", name + ".p99"}, [dispatch, name] {
            std::vector<double> p50;
            std::vector<double> p99;
            for (int round = 0; round < kRounds; ++round) {
              const Outcome outcome = measure_embedded(dispatch);
              p50.push_back(outcome.p50);
              p99.push_back(outcome.p99);
            }
            const std::string rate = std::to_string(kEmbeddedRate) + " orders a second";
            return std::vector{within(name + ".p50", "ms", rate, kLimitP50, std::move(p50)),
                               within(name + ".p99", "ms", rate, kLimitP99, std::move(p99))};
          }};
}

// A topic, or a quorum queue, of its own. Answers the broker's URL.
std::string make_topic(const std::string& broker, const std::string& topic) {
  const std::string url = server_url(broker);
  Status applied;
  if (broker == "kafka") {
    kafka::Options options;
    options.brokers = url;
    applied = kafka::apply_topology(options, {topic, 4, 1});
  } else {
    rabbitmq::Options options;
    options.url = url;
    rabbitmq::Topology topology;
    topology.queue = topic;
    applied = rabbitmq::apply_topology(options, topology);
  }
  if (!applied) throw std::runtime_error(applied.error().to_string());
  return url;
}

std::vector<Measurement> on_servers(const std::string& name, const std::string& broker,
                                    const std::string& dispatch, int rate) {
  static int next = 0;
  const Scratch scratch;
  const PostgresDatabase orders;
  const PostgresDatabase points;
  const std::string topic = "orders_" + std::to_string(++next);
  const std::string queue = make_topic(broker, topic);
  // The relay takes no credentials in a URL; RabbitMQ's are the default ones.
  const std::size_t host = queue.find('@');
  const std::string relay_queue = host == queue.npos ? queue : "amqp://" + queue.substr(host + 1);
  const Place place{orders.url(), points.url(), queue, topic, orders.url(), relay_queue};
  const Outcome outcome = measure(scratch, place, dispatch, rate * kSeconds, rate);
  const std::string load = std::to_string(rate) + " orders a second, " +
                           figure(outcome.placed_per_second) + " placed; " + outcome.memory;
  return {within(name + ".p50", "ms", load, kLimitP99, {outcome.p50}),
          within(name + ".p99", "ms", load, kLimitP99, {outcome.p99})};
}

}  // namespace

std::vector<Benchmark> end_to_end_benchmarks() {
  std::vector<Benchmark> all;
  for (const char* dispatch : {"sync", "async", "relay"}) {
    all.push_back(embedded_to_points(dispatch));
  }
  for (const std::string broker : {"kafka", "rabbitmq"}) {
    for (const std::string dispatch : {"sync", "async", "relay"}) {
      for (const int rate : {100, 1000}) {
        const std::string name =
            "commit_to_points.postgres_" + broker + "." + dispatch + "." + std::to_string(rate);
        all.push_back({{name + ".p50", name + ".p99"},
                       [=] { return on_servers(name, broker, dispatch, rate); }});
      }
    }
  }
  return all;
}

}  // namespace waybill::bench
