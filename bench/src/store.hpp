// *.mark, *.scan_growth and *.clean: the store port beside bare SQL, alike for each server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "waybill/message_store.hpp"

namespace waybill::bench {

// How many rows of each state a table keeps, and 100 fresh ones at the end.
struct Kept {
  std::int64_t done, sent, retry;
};

// One bare connection that marks INIT rows as SUCCESS. Throws when one is not.
using BareMark = std::function<void(std::int64_t first, int rows, int batch)>;

// A database of its own with waybill's tables; dropped at the end.
class StoreBench {
 public:
  virtual ~StoreBench() = default;
  [[nodiscard]] virtual std::unique_ptr<MessageStore> open() = 0;
  // Adds fresh messages of type "order.placed" with these ids.
  virtual void add(std::int64_t first, int count) = 0;
  [[nodiscard]] virtual BareMark bare_mark() = 0;
  virtual void fill(const Kept& rows) = 0;
};

using OpenStoreBench = std::function<std::unique_ptr<StoreBench>()>;

// NAME.mark.1, NAME.mark.2 (sessions at once), NAME.mark.row_by_row, NAME.scan_growth, NAME.clean
// and NAME.clean_wait; NAME is also the server's in tools/servers.
[[nodiscard]] std::vector<Benchmark> store_benchmarks(const std::string& name,
                                                      const OpenStoreBench& open);

// What a scan costs over a large table and over a small one, `scans` at once, each round.
[[nodiscard]] Measurement compare_scans(const std::string& name, const std::string& limit,
                                        int scans, int rounds, RelaySession& large,
                                        RelaySession& small);

}  // namespace waybill::bench
