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
  enum class Disk { as_it_is, slow };
  std::vector<Benchmark> all;
  const auto add = [&](const std::string& what, const char* against, Sell ours, Sell yardstick,
                       Disk disk = Disk::as_it_is) {
    for (const int clients : {1, kClients}) {
      const std::string entry = name + "." + what + "." + std::to_string(clients);
      all.push_back({cost_entries(entry), [=] {
                       const auto bench = open();
                       if (disk == Disk::slow) bench->slow_syncs();
                       Sellers sellers;
                       for (int i = 0; i < clients; ++i) sellers.push_back(bench->seller());
                       std::atomic<std::int64_t> next_order = 0;
                       return compare_costs(
                           entry, "tx/s", against, kRounds,
                           [&] { return sell(name, sellers, next_order, ours); },
                           [&] { return sell(name, sellers, next_order, yardstick); });
                     }});
    }
  };
  constexpr const char* kHand = "the same INSERT written by hand";
  constexpr const char* kWithout = "the transaction without a message";
  constexpr const char* kAtOnce = "the transaction without a message, in one round trip too";
  add("add", kHand, &Seller::ours, &Seller::hand_written);
  add("adopted_add", kHand, &Seller::adopted, &Seller::hand_written);
  add("business_tx", kWithout, &Seller::ours, &Seller::bare);
  add("business_tx.disk_1ms", kWithout, &Seller::ours, &Seller::bare, Disk::slow);
  add("business_tx.at_once", kAtOnce, &Seller::ours_at_once, &Seller::bare_at_once);
  // What any message row costs, and so the most that the others can come to.
  add("business_tx.by_hand", kAtOnce, &Seller::hand_written_at_once, &Seller::bare_at_once);

  const std::string fsyncs = name + ".fsyncs";
  all.push_back({{fsyncs}, [=] {
                   const auto bench = open();
                   const auto seller = bench->seller();
                   std::int64_t next_order = 0;
                   return std::vector{compare(
                       fsyncs, "a tx", "the transaction without a message", kSyncRounds,
                       [&] { return syncs_of(*seller, next_order, &Seller::ours); },
                       [&] { return syncs_of(*seller, next_order, &Seller::bare); }, "lower")};
                 }});
  return all;
}

}  // namespace waybill::bench
