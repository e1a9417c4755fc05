#include "business.hpp"

#include <atomic>

#include "servers.hpp"

namespace waybill::bench {
namespace {

constexpr int kClients = 16;
constexpr int kTransactions = 1000;  // a round
constexpr int kRounds = 9;
constexpr int kSyncRounds = 3;
const std::string kContent(256, 'x');

using Sellers = std::vector<std::unique_ptr<Seller>>;
using Sell = void (Seller::*)(std::int64_t);

// A round of all clients at once.
Cost sell(const std::string& server, const Sellers& sellers, std::atomic<std::int64_t>& next_order,
          Sell how) {
  return cost_of(kTransactions, server_process(server), [&] {
    const std::int64_t last = next_order.load() + kTransactions;
    in_parallel(sellers.size(), [&](std::size_t client) {
      for (std::int64_t order = ++next_order; order <= last; order = ++next_order) {
        (*sellers[client].*how)(order);
      }
    });
    next_order = last;
  });
}

// Syncs for one transaction; one client, so that commits do not share them.
double syncs_of(Seller& seller, std::int64_t& next_order, Sell how) {
  const double before = seller.syncs();
  for (int i = 0; i < kTransactions; ++i) (seller.*how)(++next_order);
  return (seller.syncs() - before) / kTransactions;
}

}  // namespace

Message message_of(std::int64_t order) {
  return {.message_type = "order.placed",
          .biz_type = "order",
          .identifier = std::to_string(order),
          .content = kContent,
          .key = {},
          .traceparent = {}};
}

std::vector<Benchmark> business_benchmarks(const std::string& name, const OpenBusinessBench& open) {
  const auto pair = [&](const std::string& what, int clients, const char* against, Sell ours,
                        Sell yardstick) {
    const std::string entry = name + "." + what + "." + std::to_string(clients);
    return Benchmark{cost_entries(entry), [=] {
                       const auto bench = open();
                       Sellers sellers;
                       for (int i = 0; i < clients; ++i) sellers.push_back(bench->seller());
                       std::atomic<std::int64_t> next_order = 0;
                       return compare_costs(
                           entry, "tx/s", against, kRounds,
                           [&] { return sell(name, sellers, next_order, ours); },
                           [&] { return sell(name, sellers, next_order, yardstick); });
                     }};
  };
  const std::string fsyncs = name + ".fsyncs";
  constexpr const char* kHand = "the same INSERT written by hand";
  constexpr const char* kWithout = "the transaction without a message, in one round trip too";
  return {pair("add", 1, kHand, &Seller::ours, &Seller::hand_written),
          pair("add", kClients, kHand, &Seller::ours, &Seller::hand_written),
          pair("business_tx", 1, kWithout, &Seller::ours_at_once, &Seller::bare_at_once),
          pair("business_tx", kClients, kWithout, &Seller::ours_at_once, &Seller::bare_at_once),
          // What any message row costs here, and so the most that `business_tx` can come to.
          pair("business_tx.by_hand", 1, kWithout, &Seller::hand_written_at_once,
               &Seller::bare_at_once),
          pair("business_tx.by_hand", kClients, kWithout, &Seller::hand_written_at_once,
               &Seller::bare_at_once),
          {{fsyncs}, [=] {
             const auto bench = open();
             const auto seller = bench->seller();
             std::int64_t next_order = 0;
             return std::vector{compare(
                 fsyncs, "a tx", "the transaction without a message", kSyncRounds,
                 [&] { return syncs_of(*seller, next_order, &Seller::ours_at_once); },
                 [&] { return syncs_of(*seller, next_order, &Seller::bare_at_once); }, "lower")};
           }}};
}

}  // namespace waybill::bench
