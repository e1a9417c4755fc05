// What both ways of placing orders share: which orders, at what rate, and what was answered.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>

#include "orders.hpp"

namespace order_points {

struct LoadOptions {
  std::string url;       // by HTTP
  std::string database;  // or by the plain sqlite3 or psql tool: file or postgresql://…
  std::string table = "local_message";
  std::string prefix = "A-";
  std::string told;
  std::uint64_t seed = 1;
  std::uint32_t orders = 100;
  std::uint32_t connections = 4;
  double rate = 0;  // orders per second; 0 = as fast as the connections go
  double rollback = 0;
  double repeat = 0;
  double give_up_seconds = 30;  // per order
};

// One order of the load; the same seed and index give the same order.
struct Planned {
  PlaceOrder place;  // place.fail: shall be rolled back
  bool repeat = false;
};
[[nodiscard]] Planned plan(const LoadOptions& options, std::uint32_t index);

// What a client was told in the end.
enum class Told { committed, rolled_back, unknown };

// Writes one line per order: order id, outcome, points. **Thread safety**: any thread.
class Answers {
 public:
  explicit Answers(const std::string& path);
  void note(const Order& order, Told told);
  void note_untrue_repeat() { ++untrue_repeats_; }
  // Prints the sums; true if nothing remained unknown and every repeat was a duplicate.
  [[nodiscard]] bool report() const;

 private:
  std::mutex mutex_;
  std::ofstream file_;
  std::uint64_t counts_[3] = {};
  std::atomic<std::uint64_t> untrue_repeats_ = 0;
};

// How one connection places one order, until it knows the outcome or gives up. `repeated` asks for
// an order that exists already; true if the answer was a duplicate.
struct Customer {
  std::function<Told(const PlaceOrder&)> place;
  std::function<bool(const PlaceOrder&)> repeated;
};

using Deadline = std::chrono::steady_clock::time_point;
[[nodiscard]] Deadline give_up_at(const LoadOptions& options);

[[nodiscard]] Customer make_http_customer(const LoadOptions& options);
[[nodiscard]] Customer make_sql_customer(const LoadOptions& options);

}  // namespace order_points
