// inbox.rate, confirm.rate: what the inbox and the confirmation cost a consumer on PostgreSQL.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "postgres_shop.hpp"
#include "servers.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/confirm/endpoint.hpp"
#include "waybill/confirm/sender.hpp"
#include "waybill/http/client.hpp"
#include "waybill/http/server.hpp"
#include "waybill/inbox/consumer.hpp"
#include "waybill/stores/postgres.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::bench {
namespace {

using std::chrono::steady_clock;
using testing::must;

// A round: long beside the time of its last confirmations, when nothing else goes on.
constexpr int kMessages = 20'000;
constexpr int kSingles = 8'000;
constexpr int kRounds = 5;
constexpr std::size_t kBatch = 100;
constexpr int kConfirmations = 20'000;
constexpr int kConfirmRounds = 3;
constexpr double kConfirmGoal = 10'000;  // a second
constexpr std::chrono::seconds kPatience(60);

confirm::Key key() {
  return {"k1", "points", "a-secret-of-the-benchmark"};
}

// Hands out prepared messages as a broker would that costs nothing.
class Prepared final : public Subscriber {
 public:
  Prepared(int first, int count) : next_(first), end_(first + count) {}

  Status receive(Steady, std::size_t at_most, std::vector<Delivery>& out) override {
    for (; next_ < end_ && out.size() < at_most; ++next_) {
      Delivery delivery;
      delivery.token = static_cast<std::uint64_t>(next_);
      delivery.message_id = "order/order.placed/A-" + std::to_string(next_);
      delivery.message_type = "order.placed";
      delivery.body = std::to_string(next_ % 1000);  // the user
      delivery.sent_at =
          std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
      out.push_back(std::move(delivery));
    }
    return {};
  }
  Status settle(std::span<const std::uint64_t>, Settle) override { return {}; }
  void wake() noexcept override {}

 private:
  int next_;
  int end_;
};

// The points service's database and handler.
class Points {
 public:
  explicit Points(const std::string& url) : client_(url) {
    client_.run(
        "CREATE TABLE IF NOT EXISTS points(user_id text PRIMARY KEY, balance bigint NOT NULL);"
        "CREATE TABLE IF NOT EXISTS grants(message_id text NOT NULL, user_id text NOT NULL,"
        "  points bigint NOT NULL, granted_at timestamptz NOT NULL DEFAULT now())");
    client_.prepare("points",
                    "INSERT INTO points VALUES($1, 20) ON CONFLICT(user_id)"
                    " DO UPDATE SET balance = points.balance + excluded.balance");
    client_.prepare("grant", "INSERT INTO grants(message_id, user_id, points) VALUES($1, $2, 20)");
  }

  void add(const Delivery& delivery) {
    client_.execute("points", {delivery.body.c_str()});
    client_.execute("grant", {delivery.message_id.c_str(), delivery.body.c_str()});
  }

  [[nodiscard]] PGconn* handle() const { return client_.handle(); }
  PostgresClient& client() { return client_; }

 private:
  PostgresClient client_;
};

// The order service's side: the message table, and the endpoint over HTTP.
class OrderService {
 public:
  OrderService()
      : store_(
            must(postgres::open_message_store({.url = shop_.url(), .answer_timeout = kPatience}))),
        endpoint_(*store_, must(confirm::KeyRing::make({key()})), {}),
        server_({}, [this](const http::Request& request) {
          confirm::Reply reply =
              endpoint_.handle({request.method, request.target, request.headers, request.body});
          return http::Response{reply.status, std::move(reply.content_type), std::move(reply.body)};
        }) {
    PostgresClient(shop_.url())
        .run(
            "INSERT INTO waybill_route(message_type, destination, consumers, version)"
            " VALUES('order.placed', 'orders', 'points', 1)");
    url_ = "http://127.0.0.1:" + std::to_string(must(server_.start()));
  }

  void add_sent(int first, int count) const {
    PostgresClient(shop_.url())
        .run(
            "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
            " SELECT 'order.placed', 'order', 'A-' || i, repeat('x', 256), 'SENT'"
            " FROM generate_series(" +
            std::to_string(first) + ", " + std::to_string(first + count - 1) + ") AS i");
  }

  [[nodiscard]] confirm::Post post() const {
    auto client = std::make_shared<http::Client>(http::ClientOptions{.base_url = url_});
    return [client](const confirm::Request& request) -> Result<confirm::Reply> {
      auto response = client->send({request.method, request.target, request.headers, request.body});
      if (!response) return response.error();
      return confirm::Reply{response->status, response->content_type, response->body};
    };
  }

  [[nodiscard]] std::int64_t confirmed() const {
    return std::stoll(PostgresClient(shop_.url())
                          .run("SELECT count(*) FROM local_message WHERE state = 'SUCCESS'")
                          .front());
  }

 private:
  PostgresShop shop_;
  std::string url_;
  std::unique_ptr<MessageStore> store_;
  confirm::Endpoint endpoint_;
  http::Server server_;
};

void wait_until(const std::function<bool()>& done, const char* what) {
  const auto until = steady_clock::now() + kPatience;
  while (!done()) {
    if (steady_clock::now() > until) throw std::runtime_error(what);
    std::this_thread::sleep_for(Millis(1));
  }
}

enum class Batching { one_by_one, together };

int messages_of(Batching batching) {
  return batching == Batching::together ? kMessages : kSingles;
}

// Until the last message is consumed and its confirmation answered.
Cost consume(const OrderService& orders, Points& points, InboxStore& store, int first,
             Batching batching) {
  const int messages = messages_of(batching);
  Prepared subscriber(first, messages);
  confirm::Sender sender(store, orders.post(), {.consumer = "points", .key = key()});
  must(sender.start());
  inbox::ConsumerOptions options;
  options.consumer = "points";
  options.batch_max = kBatch;
  options.batch_in_one_transaction = batching == Batching::together;
  options.ring = [&] { sender.ring(); };
  PGconn* connection = points.handle();
  inbox::Consumer<PGconn*> consumer(connection, store, subscriber, options,
                                    [&](PGconn*&, const Delivery& delivery) {
                                      points.add(delivery);
                                      return inbox::HandlerResult::done();
                                    });
  return cost_of(messages, server_process("postgres"), [&] {
    while (must(consumer.run_once({}, Millis(0))) > 0) {
    }
    wait_until([&] { return sender.stats().confirmed >= static_cast<std::uint64_t>(messages); },
               "the confirmations do not arrive");
  });
}

// The same handler in transactions of its own, without inbox and confirmation.
Cost consume_bare(Points& points, int first, Batching batching) {
  const int messages = messages_of(batching);
  Prepared subscriber(first, messages);
  const std::size_t at_once = batching == Batching::together ? kBatch : 1;
  return cost_of(messages, server_process("postgres"), [&] {
    std::vector<Delivery> batch;
    while (subscriber.receive({}, at_once, batch) && !batch.empty()) {
      points.client().run("BEGIN");
      for (const Delivery& delivery : batch) points.add(delivery);
      points.client().run("COMMIT");
      batch.clear();
    }
  });
}

Benchmark rate(const std::string& name, std::string against, Batching batching) {
  return {cost_entries(name), [=] {
            const OrderService orders;
            const PostgresShop shop;
            Points points(shop.url());
            const auto store =
                must(postgres::open_inbox_store({.url = shop.url(), .answer_timeout = kPatience}));
            const int messages = messages_of(batching);
            orders.add_sent(1, kRounds * messages);
            int first = 1;
            const auto measured = compare_costs(
                name, "msg/s", against, kRounds,
                [&] {
                  const Cost cost = consume(orders, points, *store, first, batching);
                  first += messages;
                  return cost;
                },
                [&] { return consume_bare(points, first, batching); });
            if (orders.confirmed() != kRounds * messages) {
              throw std::runtime_error("not everything that was consumed is confirmed");
            }
            return measured;
          }};
}

// Confirmations that wait in the inbox, a second until the producer's rows are SUCCESS and the
// inbox knows it.
std::vector<Measurement> confirmations() {
  const OrderService orders;
  const PostgresShop shop;
  const auto store =
      must(postgres::open_inbox_store({.url = shop.url(), .answer_timeout = kPatience}));
  PostgresClient client(shop.url());
  std::vector<double> rates;
  std::vector<double> cpu;
  for (int round = 0; round < kConfirmRounds; ++round) {
    const int first = 1 + round * kConfirmations;
    orders.add_sent(first, kConfirmations);
    client.run(
        "INSERT INTO waybill_inbox(consumer, message_id, sent_at)"
        " SELECT 'points', 'order/order.placed/A-' || i, now()"
        " FROM generate_series(" +
        std::to_string(first) + ", " + std::to_string(first + kConfirmations - 1) + ") AS i");
    confirm::Sender sender(*store, orders.post(), {.consumer = "points", .key = key()});
    const Cost cost = cost_of(kConfirmations, server_process("postgres"), [&] {
      must(sender.start());
      wait_until([&] { return sender.stats().confirmed >= kConfirmations; },
                 "the confirmations do not arrive");
    });
    rates.push_back(cost.rate);
    cpu.push_back(cost.cpu_per_1000);
  }
  return {reach("confirm.rate", "/s",
                "batches of 500 over HTTP, CPU " + figure(percentile(cpu, 0.5)) + " s/1000",
                kConfirmGoal, std::move(rates))};
}

}  // namespace

std::vector<Benchmark> inbox_benchmarks() {
  return {
      rate("inbox.rate", "the bare handler, 100 messages a transaction too", Batching::together),
      rate("inbox.rate.single", "the bare handler, a transaction for each message too",
           Batching::one_by_one),
      {{"confirm.rate"}, confirmations}};
}

}  // namespace waybill::bench
