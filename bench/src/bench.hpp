// A benchmark here is a ratio: ours against a yardstick, both measured in the same run, in turns.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace waybill::bench {

// One entry of bench/results/latest.json.
struct Measurement {
  std::string name;
  double ratio = 0;  // ours / the yardstick's or the limit: the median over the rounds
  double value = 0;  // ours, the median over the rounds
  std::string unit;
  std::string against;  // what the yardstick or the limit is, with its value
  std::string better;   // "higher" or "lower"
  double median = 0;    // of the rounds' ratios, as are the next two
  double min = 0;
  double max = 0;
  int rounds = 0;
};

struct Benchmark {
  std::vector<std::string> entries;  // names of what `run` measures
  std::function<std::vector<Measurement>()> run;
};

// Ratios of paired rounds: `ours` and `yardstick` run in turns `rounds` times, and each returns its
// figure: a rate, or a time with `better` = "lower".
[[nodiscard]] Measurement compare(std::string name, std::string unit, std::string against,
                                  int rounds, const std::function<double()>& ours,
                                  const std::function<double()>& yardstick,
                                  std::string better = "higher");

// What one round cost.
struct Cost {
  double rate = 0;          // a second
  double cpu_per_1000 = 0;  // CPU seconds for 1000, of this process and of the server
  double peak_mib = 0;      // the largest resident memory of this process
};

// Runs `work`, which does `count` things; `server` is a process whose CPU time counts too, or 0.
[[nodiscard]] Cost cost_of(double count, pid_t server, const std::function<void()>& work);

// As compare(), with an entry `name`.cpu for the CPU seconds of a thousand, which tell more than
// the rate on a busy machine, and `name`.memory for the peak memory of this process.
[[nodiscard]] std::vector<Measurement> compare_costs(const std::string& name, std::string unit,
                                                     const std::string& against, int rounds,
                                                     const std::function<Cost()>& ours,
                                                     const std::function<Cost()>& yardstick);

// The names of the entries that compare_costs() measures.
[[nodiscard]] std::vector<std::string> cost_entries(const std::string& name);

// Runs work(0) … work(threads - 1) at once, and rethrows what one of them threw.
void in_parallel(std::size_t threads, const std::function<void(std::size_t)>& work);

// Four digits say all that a measurement knows.
[[nodiscard]] std::string figure(double value);

// Values of rounds that should stay under `limit`; the ratios are theirs to the limit.
[[nodiscard]] Measurement within(std::string name, std::string unit, std::string against,
                                 double limit, std::vector<double> values);

// Values of rounds that should reach `goal`; the ratios are theirs to the goal.
[[nodiscard]] Measurement reach(std::string name, std::string unit, std::string against,
                                double goal, std::vector<double> values);

// How many rows a large table keeps: $WAYBILL_BENCH_ROWS, or 2 000 000.
[[nodiscard]] std::int64_t kept_rows();

// The value at `share` (0…1) of sorted data.
[[nodiscard]] double percentile(std::vector<double> values, double share);

[[nodiscard]] std::vector<Benchmark> sqlite_benchmarks();
[[nodiscard]] std::vector<Benchmark> relay_benchmarks();
[[nodiscard]] std::vector<Benchmark> scan_benchmarks();
[[nodiscard]] std::vector<Benchmark> postgres_benchmarks();
[[nodiscard]] std::vector<Benchmark> postgres_store_benchmarks();
[[nodiscard]] std::vector<Benchmark> mariadb_benchmarks();
[[nodiscard]] std::vector<Benchmark> mariadb_store_benchmarks();
[[nodiscard]] std::vector<Benchmark> inbox_benchmarks();
[[nodiscard]] std::vector<Benchmark> kafka_benchmarks();
[[nodiscard]] std::vector<Benchmark> rabbitmq_benchmarks();
[[nodiscard]] std::vector<Benchmark> end_to_end_benchmarks();

}  // namespace waybill::bench
