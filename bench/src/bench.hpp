// A benchmark here is a ratio: ours against a yardstick, both measured in the same run, in turns.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace waybill::bench {

// One entry of bench/results/latest.json.
struct Measurement {
  std::string name;
  double ratio = 0;  // value / the yardstick's value; NaN-free: 0 when there is no yardstick
  double value = 0;  // ours, the median over the rounds
  std::string unit;
  std::string against;  // what the yardstick is, with its value
  std::string better;   // "higher" or "lower"
  double median = 0;    // of the ratios (of the values, without a yardstick)
  double min = 0;
  double max = 0;
  int rounds = 0;
};

struct Benchmark {
  std::string name;
  std::function<std::vector<Measurement>()> run;
};

// Ratios of paired rounds: `ours` and `yardstick` run in turns `rounds` times, and each returns its
// figure (a rate).
[[nodiscard]] Measurement compare(std::string name, std::string unit, std::string against,
                                  int rounds, const std::function<double()>& ours,
                                  const std::function<double()>& yardstick);

// Values without a yardstick, or with a fixed limit instead of one.
[[nodiscard]] Measurement summarise(std::string name, std::string unit, std::string against,
                                    std::string better, std::vector<double> values);

// The value at `share` (0…1) of sorted data.
[[nodiscard]] double percentile(std::vector<double> values, double share);

[[nodiscard]] std::vector<Benchmark> sqlite_benchmarks();
[[nodiscard]] std::vector<Benchmark> relay_benchmarks();
[[nodiscard]] std::vector<Benchmark> scan_benchmarks();
[[nodiscard]] std::vector<Benchmark> end_to_end_benchmarks();

}  // namespace waybill::bench
