// The order service: places orders and tells of them, both or none.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "brokers.hpp"
#include "order_api.hpp"
#include "stores.hpp"
#include "waybill/adopt/mariadb.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/confirm/endpoint.hpp"
#include "waybill/confirm/reply_topic.hpp"
#include "waybill/outbox/dispatcher.hpp"
#include "waybill/outbox/outbox.hpp"
#include "waybill/outbox/transaction_template.hpp"
#include "waybill/relay/doorbell.hpp"
#include "waybill/relay/runner.hpp"
#include "waybill/testing/faulty_publisher.hpp"

namespace order_points {
namespace {
namespace http = waybill::http;

// The business: an order and its message, both or none.
template <class Handle>
Placed place_order(waybill::TransactionTemplate<Handle>& transactions,
                   const PlaceOrder& place) try {
  const auto outcome = transactions.execute([&](auto& tx) {
    create_order(tx.connection(), place.order);
    tx.add(order_placed(place.order));
    if (place.fail) throw CreditRefused{};
  });
  return outcome.committed()     ? Placed::committed
         : outcome.rolled_back() ? Placed::rolled_back
                                 : Placed::unknown;
} catch (const OrderExists&) {
  return Placed::duplicate;
} catch (const CreditRefused&) {
  return Placed::rolled_back;
}

// All that follows is set-up, done once per process.

struct ServiceOptions {
  std::string db, queue, topic{kTopic}, port_file, key_file, doorbell, confirm_topic;
  std::string dispatch = "async";
  std::uint16_t port = 0;
  std::uint32_t threads = 2;
  bool create = false;
  bool relay = false;
  waybill::testing::FaultOptions faults;
};

template <class T>
T require(waybill::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}

void require(const waybill::Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

// Creates what is missing and sets the route, which every other process reads from the database.
template <class Handle>
std::unique_ptr<waybill::MessageStore> open_store(const ServiceOptions& options) {
  const auto store_options = store_options_of<Handle>(options.db);
  if (options.create) {
    static_cast<void>(when_reachable(
        [&] { return apply_schema(store_options, waybill::store::SchemaPart::producer); }));
    create_order_table(open_database<Handle>(options.db, OpenAs::existing).get());
  }
  auto store = when_reachable([&] { return open_message_store(store_options); });
  if (!options.create) return store;
  waybill::Route route;
  route.message_type = kOrderPlaced;
  route.destination = options.topic;
  route.consumers = {std::string(kPointsConsumer)};
  route.dispatch = require(waybill::parse_dispatch(options.dispatch));
  require(require(store->open_console())->set_routes({&route, 1}));
  return store;
}

// Lines of: key id, consumer, secret.
waybill::confirm::KeyRing read_keys(const std::string& path) {
  std::vector<waybill::confirm::Key> keys;
  std::ifstream file(path);
  waybill::confirm::Key key;
  while (file >> key.id >> key.consumer >> key.secret) keys.push_back(key);
  if (keys.empty()) throw std::runtime_error("no line 'key-id consumer secret' in " + path);
  return require(waybill::confirm::KeyRing::make(std::move(keys)));
}

// Each publisher draws its losses anew.
waybill::OpenPublisher open_publishers(const ServiceOptions& options) {
  // shared: by the copies of the function, in any thread
  auto opened = std::make_shared<std::atomic<std::uint64_t>>(0);
  return [queue = options.queue, faults = options.faults,
          opened](std::string_view) -> waybill::Result<std::unique_ptr<waybill::Publisher>> {
    auto publisher = open_publisher(queue);
    if (!publisher) return publisher.error();
    waybill::testing::FaultOptions drawn = faults;
    drawn.seed += 1000 * (*opened)++;
    return waybill::testing::make_faulty(std::move(*publisher), drawn);
  };
}

void log_to_stderr(waybill::LogLevel level, std::string_view text) {
  if (level >= waybill::LogLevel::warning)
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

// One worker thread's connection.
template <class Handle>
struct Counter {
  Counter(const std::string& path, const waybill::Outbox& outbox, waybill::Dispatcher& dispatcher)
      : database(open_database<Handle>(path, OpenAs::existing)),
        handle(database.get()),
        transactions(handle, outbox, &dispatcher) {
    prepare_for_waybill(handle);
  }
  Database<Handle> database;
  Handle handle;
  waybill::TransactionTemplate<Handle> transactions;
};

http::Response confirmations(waybill::confirm::Endpoint& endpoint, const http::Request& request) {
  waybill::confirm::Reply reply =
      endpoint.handle({request.method, request.target, request.headers, request.body});
  return {reply.status, std::move(reply.content_type), std::move(reply.body),
          std::move(reply.headers)};
}

// Confirmations that come by the broker go to the same endpoint as those by HTTP.
std::unique_ptr<waybill::confirm::ReplyReader> read_replies(waybill::confirm::Endpoint& endpoint,
                                                            const ServiceOptions& options) {
  if (options.confirm_topic.empty()) return nullptr;
  auto reader = std::make_unique<waybill::confirm::ReplyReader>(
      endpoint,
      [&options] { return open_subscriber(options.queue, options.confirm_topic, "order_service"); },
      waybill::confirm::ReplyReaderOptions{.log = log_to_stderr});
  require(reader->start());
  return reader;
}

template <class Handle>
int run(const ServiceOptions& options) {
  const auto store = open_store<Handle>(options);
  const waybill::OpenPublisher publishers = open_publishers(options);
  const waybill::SteadyClock clock;
  waybill::relay::RunnerOptions relay_options;
  relay_options.holder = "order_service";
  relay_options.log = log_to_stderr;
  waybill::relay::Runner relay(*store, publishers, clock, relay_options);
  if (options.relay) require(relay.start());

  waybill::DispatcherOptions dispatcher_options;
  dispatcher_options.ring = [&] {
    relay.ring();
    if (!options.doorbell.empty()) waybill::relay::ring_doorbell(options.doorbell);
  };
  dispatcher_options.log = log_to_stderr;
  waybill::Dispatcher dispatcher(*store, publishers, dispatcher_options);
  require(dispatcher.start());

  waybill::confirm::Endpoint endpoint(*store, read_keys(options.key_file), {});
  const auto replies = read_replies(endpoint, options);
  const waybill::Outbox outbox;
  const auto counter = [&]() -> Counter<Handle>& {
    thread_local Counter<Handle> of_this_thread(options.db, outbox, dispatcher);
    reconnect_if_lost(of_this_thread.handle);
    return of_this_thread;
  };
  const OrderApi api{
      .place = [&](const PlaceOrder& place) { return place_order(counter().transactions, place); },
      .find = [&](std::string_view order_id) { return find_order(counter().handle, order_id); },
  };
  http::ServerOptions server_options;
  server_options.port = options.port;
  server_options.threads = options.threads;
  http::Server server(server_options, [&](const http::Request& request) {
    return request.target.starts_with("/api/") ? confirmations(endpoint, request)
                                               : answer(api, request);
  });
  const int exit_code = serve(server, options.port_file);
  dispatcher.stop();
  relay.stop(waybill::Millis(2000));
  return exit_code;
}

}  // namespace
}  // namespace order_points

int main(int argc, char** argv) {
  order_points::block_stop_signals();
  order_points::ServiceOptions options;
  CLI::App app(
      "Places orders and tells of them by messages written in the same transaction.\n"
      "Example: order_service --db orders.db --queue queue.db --create --port 8081 "
      "--key-file points.key");
  app.add_option("--db", options.db, "order database: a SQLite file, postgresql://… or mariadb://…")
      ->required();
  app.add_option("--queue", options.queue, order_points::kQueueHelp)->required();
  app.add_option("--topic", options.topic, "where the orders are told, with --create")
      ->capture_default_str();
  app.add_option("--key-file", options.key_file, "lines of: key id, consumer, secret")->required();
  app.add_option("--confirm-topic", options.confirm_topic,
                 "takes confirmations from this topic too");
  app.add_flag("--create", options.create, "create what is missing and set the route");
  app.add_option("--dispatch", options.dispatch, "how the route sends, with --create")
      ->check(CLI::IsMember({"sync", "async", "relay"}))
      ->capture_default_str();
  app.add_flag("--relay", options.relay, "run a relay inside this process");
  app.add_option("--doorbell", options.doorbell, "rung after a commit, for a relay elsewhere");
  app.add_option("--port", options.port, "0 = a free one")->capture_default_str();
  app.add_option("--port-file", options.port_file, "file to write the port into");
  app.add_option("--threads", options.threads, "requests served at once, each by a connection")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--fault-lose-ack", options.faults.lose_ack,
                 "fraction of publishes whose answer is lost");
  app.add_option("--fault-lose-publish", options.faults.lose_publish,
                 "fraction of publishes that are lost, and their answers too");
  app.add_option("--fault-seed", options.faults.seed);
  CLI11_PARSE(app, argc, argv);
  try {
    return order_points::with_kind_of(
        options.db, [&](auto handle) { return order_points::run<decltype(handle)>(options); });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "order_service: %s\n", error.what());
    return 1;
  }
}
