// The load generator: customers who place orders and keep asking, with the same order id, until
// they know.
#include "load.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "waybill/http/client.hpp"

namespace order_points {
namespace {
namespace http = waybill::http;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRetryPause{50};

std::string body_of(const PlaceOrder& place) {
  boost::json::object body{{"order_id", place.order.order_id},
                           {"user_id", place.order.user_id},
                           {"amount_cents", place.order.amount_cents}};
  if (place.fail) body["fail"] = true;
  return boost::json::serialize(body);
}

// Repeats the request until a final answer comes: 200, 201 or 409. 0 = gave up. A request refused
// for itself (4xx) never gets better.
int ask(http::Client& client, const PlaceOrder& place, Deadline until) {
  http::Request request;
  request.method = "POST";
  request.target = "/orders";
  request.headers = {{"content-type", "application/json"}};
  request.body = body_of(place);
  for (;;) {
    const waybill::Result<http::Response> response = client.send(request);
    if (response && (response->status < 202 || response->status == 409)) return response->status;
    if (response && response->status >= 400 && response->status < 500)
      throw std::runtime_error("the order service refused a request: " + response->body);
    if (steady_clock::now() >= until) return 0;
    std::this_thread::sleep_for(kRetryPause);
  }
}

void place_one(const LoadOptions& options, const Customer& customer, std::uint32_t index,
               Answers& answers) {
  const Planned planned = plan(options, index);
  const Told told = customer.place(planned.place);
  answers.note(planned.place.order, told);
  if (planned.repeat && told == Told::committed && !customer.repeated(planned.place))
    answers.note_untrue_repeat();
}

int run(const LoadOptions& options) {
  Answers answers(options.told);
  std::atomic<std::uint32_t> next = 0;
  std::atomic<bool> failed = false;
  const auto start = steady_clock::now();
  const auto customer_loop = [&] {
    try {
      const Customer customer =
          options.url.empty() ? make_sql_customer(options) : make_http_customer(options);
      for (std::uint32_t i = next++; i < options.orders && !failed; i = next++) {
        if (options.rate > 0)
          std::this_thread::sleep_until(start + std::chrono::duration<double>(i / options.rate));
        place_one(options, customer, i, answers);
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "load: %s\n", error.what());
      failed = true;
    }
  };
  {
    std::vector<std::jthread> customers;
    for (std::uint32_t i = 0; i < options.connections; ++i) customers.emplace_back(customer_loop);
  }
  const bool clean = answers.report();
  return failed ? 2 : clean ? 0 : 1;
}

void describe(CLI::App& app, LoadOptions& options) {
  auto* url = app.add_option("--url", options.url, "order service, http://127.0.0.1:8081");
  app.add_option("--sql", options.database,
                 "write orders and messages by the tool sqlite3 or psql into this database instead")
      ->excludes(url);
  app.add_option("--table", options.table, "message table, with --sql")->capture_default_str();
  app.add_option("--orders", options.orders)
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--connections", options.connections)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--rate", options.rate, "orders per second; 0 = as fast as it goes")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--rollback", options.rollback, "fraction rolled back at the end")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repeat", options.repeat, "fraction placed twice with the same order id")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--prefix", options.prefix, "of the order ids")->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--give-up", options.give_up_seconds, "seconds to keep asking for one order")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--told", options.told, "file for what was answered: order id, outcome, points");
}

}  // namespace

Planned plan(const LoadOptions& options, std::uint32_t index) {
  std::seed_seq sequence{static_cast<std::uint32_t>(options.seed),
                         static_cast<std::uint32_t>(options.seed >> 32), index};
  std::mt19937_64 random(sequence);
  const auto happens = [&](double fraction) {
    return std::uniform_real_distribution<double>()(random) < fraction;
  };
  Planned planned;
  planned.place.order = {options.prefix + std::to_string(index),
                         "u" + std::to_string(random() % 100),
                         static_cast<std::int64_t>(100 + random() % 20'000)};
  planned.place.fail = happens(options.rollback);
  planned.repeat = happens(options.repeat);
  return planned;
}

Answers::Answers(const std::string& path) {
  if (path.empty()) return;
  file_.open(path, std::ios::app);
  if (!file_) throw std::runtime_error("cannot write the answers into " + path);
}

void Answers::note(const Order& order, Told told) {
  constexpr const char* kNames[] = {"committed", "rolled_back", "unknown"};
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<int>(told)];
  if (file_.is_open())
    file_ << order.order_id << '\t' << kNames[static_cast<int>(told)] << '\t' << order.points()
          << std::endl;
}

bool Answers::report() const {
  const std::uint64_t untrue = untrue_repeats_;
  std::printf(R"({"committed":%llu,"rolled_back":%llu,"unknown":%llu,"repeat_not_duplicate":%llu})"
              "\n",
              static_cast<unsigned long long>(counts_[0]),
              static_cast<unsigned long long>(counts_[1]),
              static_cast<unsigned long long>(counts_[2]), static_cast<unsigned long long>(untrue));
  return counts_[2] == 0 && untrue == 0;
}

Deadline give_up_at(const LoadOptions& options) {
  return steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                   std::chrono::duration<double>(options.give_up_seconds));
}

Customer make_http_customer(const LoadOptions& options) {
  http::ClientOptions client_options;
  client_options.base_url = options.url;
  client_options.timeout = waybill::Millis(2000);
  // shared: between the two functions of one customer, which run on one thread
  auto client = std::make_shared<http::Client>(client_options);
  return {
      .place =
          [client, options](const PlaceOrder& place) {
            const int status = ask(*client, place, give_up_at(options));
            return status == 409 ? Told::rolled_back
                   : status == 0 ? Told::unknown
                                 : Told::committed;
          },
      .repeated =
          [client, options](const PlaceOrder& place) {
            return ask(*client, place, give_up_at(options)) == 200;
          },
  };
}

}  // namespace order_points

int main(int argc, char** argv) {
  order_points::LoadOptions options;
  CLI::App app(
      "Places orders and repeats each request with the same order id until its outcome is known.\n"
      "Exit code: 0 every outcome is known, 1 some are not, 2 wrong call.\n"
      "Example: load --url http://127.0.0.1:8081 --orders 1000 --rate 200 --rollback 0.1");
  order_points::describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.url.empty() == options.database.empty()) {
    std::fprintf(stderr, "load: name --url or --sql\n");
    return 2;
  }
  try {
    return order_points::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 2;
  }
}
