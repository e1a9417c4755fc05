// A benchmark here is a ratio: ours against a yardstick, both measured in the same run, in turns.
#pragma once

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

// Values of rounds that should stay under `limit`; the ratios are theirs to the limit.
[[nodiscard]] Measurement within(std::string name, std::string unit, std::string against,
                                 double limit, std::vector<double> values);

// The value at `share` (0…1) of sorted data.
[[nodiscard]] double percentile(std::vector<double> values, double share);

[[nodiscard]] std::vector<Benchmark> sqlite_benchmarks();
[[nodiscard]] std::vector<Benchmark> relay_benchmarks();
[[nodiscard]] std::vector<Benchmark> scan_benchmarks();
[[nodiscard]] std::vector<Benchmark> end_to_end_benchmarks();

}  // namespace waybill::bench
