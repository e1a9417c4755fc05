// postgres.add, postgres.business_tx, postgres.fsyncs: what a message costs a business transaction.
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "postgres_shop.hpp"
#include "servers.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/outbox/outbox.hpp"

namespace waybill::bench {
namespace {

constexpr int kClients = 16;
constexpr int kTransactions = 600;  // a round
constexpr int kRounds = 9;
const std::string kContent(256, 'x');

constexpr const char* kByHand =
    "INSERT INTO local_message(message_type, biz_type, identifier, content, state)"
    " VALUES('order.placed', 'order', $1, $2, 'INIT')";

Message message_of(const std::string& identifier) {
  return {.message_type = "order.placed",
          .biz_type = "order",
          .identifier = identifier,
          .content = kContent,
          .key = {},
          .traceparent = {}};
}

// One client of the shop, with every statement prepared.
class Seller {
 public:
  explicit Seller(const std::string& url) : client_(url), orders_(client_) {
    client_.prepare("begin", "BEGIN");
    client_.prepare("commit", "COMMIT");
    client_.prepare("by hand", kByHand);
    client_.prepare("rendered", outbox_.render(Dialect::postgres, message_of("A")).sql);
  }

  void bare(std::int64_t order) {
    in_transaction([&] { orders_.write(order); });
  }

  void ours(std::int64_t order) {
    in_transaction([&] {
      orders_.write(order);
      PGconn* handle = client_.handle();
      const Ticket ticket = outbox_.add(handle, message_of(std::to_string(order)), kept_);
      if (ticket.result != AddResult::added) throw std::runtime_error(ticket.text);
    });
  }

  void hand_written(std::int64_t order) {
    in_transaction([&] {
      orders_.write(order);
      client_.execute("by hand", {std::to_string(order).c_str(), kContent.c_str()});
    });
  }

  // The whole transaction in one round trip, without and with a message.
  void bare_pipelined(std::int64_t order) {
    pipelined(order, 0, [] {});
  }

  void ours_pipelined(std::int64_t order) {
    const Rendered rendered = outbox_.render(Dialect::postgres, message_of(std::to_string(order)));
    const auto text = [&](std::size_t i) {
      const auto& parameter = rendered.parameters[i];
      return parameter ? parameter->c_str() : nullptr;
    };
    pipelined(order, 1, [&] {
      client_.send("rendered", {text(0), text(1), text(2), text(3), text(4)});
    });
  }

  PostgresClient& client() { return client_; }

 private:
  template <class Write>
  void in_transaction(const Write& write) {
    client_.execute("begin", {});
    write();
    client_.execute("commit", {});
  }

  template <class Send>
  void pipelined(std::int64_t order, int more, const Send& send) {
    PQenterPipelineMode(client_.handle());
    client_.send("begin", {});
    orders_.send(order);
    send();
    client_.send("commit", {});
    client_.finish(PostgresOrders::kStatements + 2 + more);
    PQexitPipelineMode(client_.handle());
  }

  PostgresClient client_;
  PostgresOrders orders_;
  Outbox outbox_;
  transaction_adapter<PGconn*>::Kept kept_;
};

using Sellers = std::vector<std::unique_ptr<Seller>>;
using Sell = void (Seller::*)(std::int64_t);

Sellers sellers(const PostgresShop& shop, int clients) {
  Sellers all;
  for (int i = 0; i < clients; ++i) all.push_back(std::make_unique<Seller>(shop.url()));
  return all;
}

// A round of all clients at once.
Cost sell(const Sellers& sellers, std::atomic<std::int64_t>& next_order, Sell how) {
  return cost_of(kTransactions, server_process("postgres"), [&] {
    const std::int64_t last = next_order.load() + kTransactions;
    in_parallel(sellers.size(), [&](std::size_t client) {
      for (std::int64_t order = ++next_order; order <= last; order = ++next_order) {
        (*sellers[client].*how)(order);
      }
    });
    next_order = last;
  });
}

Benchmark pair(const std::string& name, int clients, std::string against, Sell ours,
               Sell yardstick) {
  return {{name, name + ".cpu"}, [=] {
            const PostgresShop shop;
            const Sellers all = sellers(shop, clients);
            std::atomic<std::int64_t> next_order = 0;
            return compare_costs(
                name, "tx/s", against, kRounds, [&] { return sell(all, next_order, ours); },
                [&] { return sell(all, next_order, yardstick); });
          }};
}

// WAL syncs for one transaction; one client, so that commits do not share them.
double syncs_of(Seller& seller, std::int64_t& next_order, Sell how) {
  const auto syncs = [&] {
    seller.client().run("SELECT pg_stat_force_next_flush()");
    return std::stod(seller.client().run("SELECT wal_sync FROM pg_stat_wal").front());
  };
  const double before = syncs();
  for (int i = 0; i < kTransactions; ++i) (seller.*how)(++next_order);
  return (syncs() - before) / kTransactions;
}

std::vector<Measurement> fsyncs() {
  const PostgresShop shop;
  Seller seller(shop.url());
  std::int64_t next_order = 0;
  return {compare(
      "postgres.fsyncs", "a tx", "the transaction without a message", 3,
      [&] { return syncs_of(seller, next_order, &Seller::ours); },
      [&] { return syncs_of(seller, next_order, &Seller::bare); }, "lower")};
}

}  // namespace

std::vector<Benchmark> postgres_benchmarks() {
  constexpr const char* kHand = "the same INSERT written by hand";
  constexpr const char* kWithout = "the transaction without a message, pipelined too";
  return {
      pair("postgres.add.1", 1, kHand, &Seller::ours, &Seller::hand_written),
      pair("postgres.add.16", kClients, kHand, &Seller::ours, &Seller::hand_written),
      pair("postgres.business_tx.1", 1, kWithout, &Seller::ours_pipelined, &Seller::bare_pipelined),
      pair("postgres.business_tx.16", kClients, kWithout, &Seller::ours_pipelined,
           &Seller::bare_pipelined),
      {{"postgres.fsyncs"}, fsyncs}};
}

}  // namespace waybill::bench
