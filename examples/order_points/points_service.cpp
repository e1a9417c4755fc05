// The points service: adds points for each placed order, once.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "brokers.hpp"
#include "database.hpp"
#include "order_api.hpp"
#include "orders.hpp"
#include "stores.hpp"
#include "waybill/adopt/mariadb.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/confirm/reply_topic.hpp"
#include "waybill/confirm/sender.hpp"
#include "waybill/http/client.hpp"
#include "waybill/http/server.hpp"
#include "waybill/inbox/consumer.hpp"
#include "waybill/testing/faulty_post.hpp"

namespace order_points {
namespace {
namespace inbox = waybill::inbox;
namespace http = waybill::http;
namespace json = boost::json;

// --- the business ------------------------------------------------------------------------------

struct OrderPlaced {
  std::string order_id, user_id;
  std::int64_t points = 0;
};

// `grants` allows the same order twice on purpose, so that the auditor can see it happen.
constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS points(user_id VARCHAR(128) PRIMARY KEY, balance BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS grants(message_id TEXT NOT NULL, order_id TEXT NOT NULL,"
    "  user_id TEXT NOT NULL, points BIGINT NOT NULL, granted_at BIGINT NOT NULL)";

template <class Handle>
void add_points(Handle database, const OrderPlaced& order, std::string_view message_id) {
  const std::string or_more =
      std::is_same_v<Handle, MYSQL*>
          ? " ON DUPLICATE KEY UPDATE balance = balance + VALUES(balance)"
          : " ON CONFLICT(user_id) DO UPDATE SET balance = points.balance + excluded.balance";
  Query<Handle> balance(database, "INSERT INTO points(user_id, balance) VALUES(?, ?)" + or_more);
  balance.bind(order.user_id).bind(order.points).step();
  Query<Handle> grant(database,
                      "INSERT INTO grants(message_id, order_id, user_id, points, granted_at)"
                      " VALUES(?, ?, ?, ?, ?)");
  grant.bind(message_id).bind(order.order_id).bind(order.user_id).bind(order.points);
  grant.bind(milliseconds_now()).step();
}

template <class Handle>
std::optional<std::int64_t> find_points(Handle database, std::string_view user_id) {
  Query<Handle> query(database, "SELECT balance FROM points WHERE user_id = ?");
  if (!query.bind(user_id).step()) return std::nullopt;
  return query.number(0);
}

OrderPlaced parse_order_placed(std::string_view body) {
  const json::value content = json::parse({body.data(), body.size()});
  return {json::value_to<std::string>(content.at("order_id")),
          json::value_to<std::string>(content.at("user_id")),
          json::value_to<std::int64_t>(content.at("points"))};
}

// Runs in the inbox's transaction: the points and the note that they were added commit together.
template <class Handle>
inbox::HandlerResult on_order_placed(Handle& database, const waybill::Delivery& delivery,
                                     const std::set<std::string>& frozen) {
  OrderPlaced order;
  try {
    order = parse_order_placed(delivery.body);
  } catch (const std::exception&) {
    return inbox::HandlerResult::failed("the body needs order_id, user_id and points");
  }
  // A business rule: the message is DEAD for this reason until an operator replays it.
  if (frozen.contains(order.user_id)) {
    return inbox::HandlerResult::failed("the account of " + order.user_id + " is frozen");
  }
  add_points(database, order, delivery.message_id);
  return inbox::HandlerResult::done();
}

// --- set-up --------------------------------------------------------------------------------------

struct ServiceOptions {
  std::string db, queue, topic{kTopic}, group = "points", instance, confirm_url, confirm_topic,
                                        key_file, port_file;
  std::uint16_t port = 0;
  bool create = false, no_inbox = false;
  std::vector<std::string> frozen;
  waybill::testing::PostFaults faults;
};

template <class T>
T require(waybill::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void log(waybill::LogLevel level, std::string_view text) {
  if (level < waybill::LogLevel::warning) return;
  std::fprintf(stderr, "points_service: %.*s\n", static_cast<int>(text.size()), text.data());
}

// One line: key-id consumer secret.
waybill::confirm::Key read_key(const std::string& path) {
  waybill::confirm::Key key;
  std::ifstream file(path);
  if (!(file >> key.id >> key.consumer >> key.secret))
    throw std::runtime_error("no line 'key-id consumer secret' in " + path);
  return key;
}

// Each confirmation goes to the order service as a signed POST.
waybill::confirm::Post post_to(const std::string& url) {
  http::ClientOptions options;
  options.base_url = url;
  auto client = std::make_shared<http::Client>(options);  // between copies of this one Post
  return [client](
             const waybill::confirm::Request& request) -> waybill::Result<waybill::confirm::Reply> {
    auto response = client->send({request.method, request.target, request.headers, request.body});
    if (!response) return response.error();
    return waybill::confirm::Reply{response->status, response->content_type, response->body};
  };
}

// Or it goes to the order service by the broker.
waybill::confirm::Post post_to_topic_of(const ServiceOptions& options) {
  return waybill::confirm::post_to_topic(
      [queue = options.queue](std::string_view) { return open_publisher(queue); },
      {.destination = options.confirm_topic});
}

// The counter-example: no inbox, so that each duplicate adds its points again; no confirmation, so
// that nobody notices what got lost; what fails is logged and forgotten.
template <class Handle>
void consume_without_inbox(std::stop_token stop, Handle database, waybill::Subscriber& subscriber) {
  while (!stop.stop_requested()) {
    std::vector<waybill::Delivery> batch;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    if (!subscriber.receive(until, 100, batch)) continue;
    for (const waybill::Delivery& delivery : batch) {
      try {
        run_sql(database, "BEGIN");
        add_points(database, parse_order_placed(delivery.body), delivery.message_id);
        run_sql(database, "COMMIT");
      } catch (const std::exception& error) {
        log(waybill::LogLevel::warning, error.what());
        waybill::transaction_adapter<Handle>::rollback(database);
      }
      static_cast<void>(subscriber.settle({&delivery.token, 1}, waybill::Settle::ack));
    }
  }
}

template <class Handle>
http::Response answer(const http::Request& request, Handle database, std::mutex& one_at_a_time) {
  constexpr std::string_view kPoints = "/points/";
  if (request.method != "GET")
    return problem(405, "method not allowed", "use GET", {{"Allow", "GET"}});
  http::Response response;
  response.body = R"({"status":"up"})";
  if (request.target == "/health") return response;
  if (!request.target.starts_with(kPoints))
    return problem(404, "no such resource", "GET /points/{user}, GET /health");
  const std::lock_guard lock(one_at_a_time);
  const std::string user_id = request.target.substr(kPoints.size());
  reconnect_if_lost(database);
  const auto balance = find_points(database, user_id);
  if (!balance) return problem(404, "no such user", "nobody of this name has points");
  response.body = json::serialize(json::object{{"user_id", user_id}, {"balance", *balance}});
  return response;
}

template <class Handle>
int run(const ServiceOptions& options) {
  const auto store = store_options_of<Handle>(options.db);
  if (options.create) {
    static_cast<void>(
        when_reachable([&] { return apply_schema(store, waybill::store::SchemaPart::consumer); }));
    run_sql(open_database<Handle>(options.db, OpenAs::existing).get(), kTables);
  }
  const auto inbox_store = when_reachable([&] { return open_inbox_store(store); });
  const Database<Handle> database = open_database<Handle>(options.db, OpenAs::existing);
  const Database<Handle> reader = open_database<Handle>(options.db, OpenAs::read_only);
  prepare_for_waybill(database.get());
  const auto subscriber =
      require(open_subscriber(options.queue, options.topic, options.group, options.instance));

  std::unique_ptr<waybill::confirm::Sender> sender;
  const bool by_topic = !options.confirm_topic.empty();
  if ((by_topic || !options.confirm_url.empty()) && !options.no_inbox) {
    const waybill::confirm::Key key = read_key(options.key_file);
    const auto post = by_topic ? post_to_topic_of(options) : post_to(options.confirm_url);
    sender = std::make_unique<waybill::confirm::Sender>(
        *inbox_store, waybill::testing::make_faulty(post, options.faults),
        waybill::confirm::SenderOptions{
            .consumer = std::string(kPointsConsumer), .key = key, .log = log});
    require(sender->start());
  }

  inbox::ConsumerOptions consumer_options;
  consumer_options.consumer = kPointsConsumer;
  consumer_options.log = log;
  consumer_options.batch_in_one_transaction = true;  // adding points twice in vain harms nobody
  if (sender) consumer_options.ring = [&] { sender->ring(); };
  Handle connection = database.get();
  consumer_options.reconnect = [connection] { reconnect_if_lost(connection); };
  inbox::Consumer<Handle> consumer(
      connection, *inbox_store, *subscriber, consumer_options,
      inbox::Handlers<Handle>{{std::string(kOrderPlaced),
                               [frozen = std::set(options.frozen.begin(), options.frozen.end())](
                                   Handle& handle, const waybill::Delivery& delivery) {
                                 return on_order_placed(handle, delivery, frozen);
                               }}});
  std::jthread worker([&](std::stop_token stop) {
    if (options.no_inbox) {
      consume_without_inbox(stop, connection, *subscriber);
    } else if (const waybill::Status ran = consumer.run(stop); !ran) {
      log(waybill::LogLevel::alarm, ran.error().to_string());
    }
  });

  std::mutex one_at_a_time;
  http::ServerOptions server_options;
  server_options.port = options.port;
  http::Server server(server_options, [&](const http::Request& request) {
    return answer(request, reader.get(), one_at_a_time);
  });
  const int exit_code = serve(server, options.port_file);  // until SIGTERM
  worker.request_stop();
  worker.join();
  if (sender) sender->stop();
  return exit_code;
}

}  // namespace
}  // namespace order_points

int main(int argc, char** argv) {
  order_points::block_stop_signals();
  order_points::ServiceOptions options;
  CLI::App app(
      "Adds points for placed orders, once each, and confirms them to the order service.\n"
      "Example: points_service --db points.db --queue queue.db --create --port 8082"
      " --key-file points.key --confirm-url http://127.0.0.1:8081");
  app.add_option("--db", options.db,
                 "points database: a SQLite file, postgresql://… or mariadb://…")
      ->required();
  app.add_option("--queue", options.queue, order_points::kQueueHelp)->required();
  app.add_option("--topic", options.topic, "where the orders are told")->capture_default_str();
  app.add_flag("--create", options.create, "create the database and its tables if missing");
  app.add_option("--group", options.group, "consumer group in the queue")->capture_default_str();
  app.add_option(
      "--instance", options.instance,
      "Kafka: a name of this process that stays over restarts; after a crash it reads on "
      "at once");
  auto* key_file = app.add_option("--key-file", options.key_file, "line: key-id consumer secret");
  app.add_option("--confirm-url", options.confirm_url, "order service; empty = confirm nothing")
      ->needs(key_file);
  app.add_option("--confirm-topic", options.confirm_topic,
                 "confirms by this topic of the broker, instead of the URL")
      ->needs(key_file);
  app.add_option("--port", options.port, "0 = a free one")->capture_default_str();
  app.add_option("--port-file", options.port_file, "file to write the port into");
  app.add_option("--freeze", options.frozen,
                 "a user whose account takes no points: a business rule that fails");
  app.add_flag("--no-inbox", options.no_inbox,
               "COUNTER-EXAMPLE: grant without an inbox and confirm nothing; doubles happen");
  app.add_option("--fault-lose-confirmation", options.faults.lose_reply,
                 "fraction of confirmations whose answer is lost");
  app.add_option("--fault-seed", options.faults.seed);
  CLI11_PARSE(app, argc, argv);
  try {
    return order_points::with_kind_of(
        options.db, [&](auto handle) { return order_points::run<decltype(handle)>(options); });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "points_service: %s\n", error.what());
    return 1;
  }
}
