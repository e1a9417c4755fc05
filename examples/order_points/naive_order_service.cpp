// The counter-example: an order service that publishes inside its transaction and believes what it
// hears. It has the same API, and every flaw that the message table removes:
//   - what was published stays published when the transaction rolls back or the process dies;
//   - whether a publish arrived whose answer did not come it can only guess: taken for done, lost
//     ones are missing; taken for failed, those that arrived are of no order;
//   - a repeated request publishes under a new id, so that the consumer cannot tell it is the same.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "brokers.hpp"
#include "order_api.hpp"
#include "waybill/message_id.hpp"
#include "waybill/testing/faulty_publisher.hpp"

namespace order_points {
namespace {
using std::chrono::steady_clock;

constexpr waybill::Millis kPublishTimeout{1000};

struct ServiceOptions {
  std::string db, queue, topic{kTopic}, port_file;
  std::uint16_t port = 0;
  std::uint32_t threads = 2;
  bool roll_back_in_doubt = false;
  waybill::testing::FaultOptions faults;
};

struct IgnoreOutcomes final : waybill::OutcomeSink {
  bool came = false;
  void on_outcome(const waybill::PublishOutcome&) override { came = true; }
};

// One thread's connection to its database and its broker.
class NaiveShop {
 public:
  explicit NaiveShop(const ServiceOptions& options)
      : database_(open_database<sqlite3*>(options.db, OpenAs::existing)),
        topic_(options.topic),
        rolls_back_(options.roll_back_in_doubt) {
    auto publisher = open_publisher(options.queue);
    if (!publisher) throw std::runtime_error(publisher.error().to_string());
    publisher_ = waybill::testing::make_faulty(std::move(*publisher), options.faults);
  }

  Placed place(const PlaceOrder& place) {
    run_sql(database_.get(), "BEGIN IMMEDIATE");
    try {
      create_order(database_.get(), place.order);
      const bool answered = publish(place.order);
      if (place.fail || (!answered && rolls_back_)) throw CreditRefused{};
      run_sql(database_.get(), "COMMIT");
      return Placed::committed;
    } catch (const OrderExists&) {
      run_sql(database_.get(), "ROLLBACK");
      return Placed::duplicate;
    } catch (const CreditRefused&) {
      run_sql(database_.get(), "ROLLBACK");
      return Placed::rolled_back;
    } catch (...) {
      sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  std::optional<Order> find(std::string_view order_id) {
    return find_order(database_.get(), order_id);
  }

 private:
  // Whether an answer came.
  bool publish(const Order& order) {
    const waybill::Message message = order_placed(order);
    const std::string message_id =
        waybill::MessageId{message.biz_type, message.message_type, std::to_string(random_())}
            .to_string();
    waybill::Outgoing outgoing;
    outgoing.token = ++token_;
    outgoing.destination = topic_;
    outgoing.message_id = message_id;
    outgoing.message_type = message.message_type;
    outgoing.body = message.content.bytes();
    outgoing.sent_at =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    IgnoreOutcomes outcome;
    publisher_->submit({&outgoing, 1});
    const auto until = steady_clock::now() + kPublishTimeout;
    while (!outcome.came && steady_clock::now() < until) publisher_->poll(until, outcome);
    return outcome.came;
  }

  Database<sqlite3*> database_;
  const std::string topic_;
  const bool rolls_back_;
  std::unique_ptr<waybill::Publisher> publisher_;
  std::mt19937_64 random_{std::random_device()()};
  std::uint64_t token_ = 0;
};

int run(const ServiceOptions& options) {
  create_order_table(open_database<sqlite3*>(options.db, OpenAs::created_if_missing).get());
  const auto shop = [&options]() -> NaiveShop& {
    thread_local NaiveShop of_this_thread(options);
    return of_this_thread;
  };
  const OrderApi api{
      .place = [&](const PlaceOrder& place) { return shop().place(place); },
      .find = [&](std::string_view order_id) { return shop().find(order_id); },
  };
  waybill::http::ServerOptions server_options;
  server_options.port = options.port;
  server_options.threads = options.threads;
  waybill::http::Server server(
      server_options, [&](const waybill::http::Request& request) { return answer(api, request); });
  return serve(server, options.port_file);
}

}  // namespace
}  // namespace order_points

int main(int argc, char** argv) {
  order_points::block_stop_signals();
  order_points::ServiceOptions options;
  CLI::App app(
      "Places orders and publishes inside the transaction: what not to do.\n"
      "Example: naive_order_service --db orders.db --queue queue.db --port 8081");
  app.add_option("--db", options.db, "order database; created if missing")->required();
  app.add_option("--queue", options.queue, order_points::kQueueHelp)->required();
  app.add_option("--topic", options.topic, "where the orders are told")->capture_default_str();
  app.add_flag("--roll-back-in-doubt", options.roll_back_in_doubt,
               "take a publish whose answer did not come for failed, not for done");
  app.add_option("--port", options.port, "0 = a free one")->capture_default_str();
  app.add_option("--port-file", options.port_file, "file to write the port into");
  app.add_option("--fault-lose-ack", options.faults.lose_ack,
                 "fraction of publishes whose answer is lost");
  app.add_option("--fault-lose-publish", options.faults.lose_publish,
                 "fraction of publishes that are lost, and their answers too");
  app.add_option("--fault-seed", options.faults.seed);
  CLI11_PARSE(app, argc, argv);
  try {
    return order_points::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "naive_order_service: %s\n", error.what());
    return 1;
  }
}
