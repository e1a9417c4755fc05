// *.add, *.adopted_add, *.business_tx and *.fsyncs: what a message costs a business transaction,
// alike for every database server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "waybill/outbox/outbox.hpp"

namespace waybill::bench {

// One client of the shop, on a connection of its own, with every statement prepared where that
// helps. Each call is one transaction: an order, three lines, one change of stock.
class Seller {
 public:
  virtual ~Seller() = default;
  // Statement by statement: with a TransactionTemplate and its add(); in a transaction of its own
  // with Outbox::add; with an INSERT by hand; without a message.
  virtual void ours(std::int64_t order) = 0;
  virtual void adopted(std::int64_t order) = 0;
  virtual void hand_written(std::int64_t order) = 0;
  virtual void bare(std::int64_t order) = 0;
  // In one round trip, with what Outbox::render gives, by hand and without a message.
  virtual void ours_at_once(std::int64_t order) = 0;
  virtual void hand_written_at_once(std::int64_t order) = 0;
  virtual void bare_at_once(std::int64_t order) = 0;
  // Syncs of the disk that the server has asked for.
  [[nodiscard]] virtual double syncs() = 0;
};

// An empty shop in a database of its own; dropped at the end.
class BusinessBench {
 public:
  virtual ~BusinessBench() = default;
  [[nodiscard]] virtual std::unique_ptr<Seller> seller() = 0;
  // From the next seller on, a commit waits 1 ms longer for its sync, as on a disk of that kind;
  // commits share the wait.
  virtual void slow_syncs() = 0;
};

[[nodiscard]] Message message_of(std::int64_t order);

using OpenBusinessBench = std::function<std::unique_ptr<BusinessBench>()>;

// NAME.add, .adopted_add, .business_tx and its shades, each .1 and .16 (clients at once), and
// NAME.fsyncs; NAME is also the server's in tools/servers.
[[nodiscard]] std::vector<Benchmark> business_benchmarks(const std::string& name,
                                                         const OpenBusinessBench& open);

}  // namespace waybill::bench
