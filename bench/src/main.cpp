// Runs the benchmarks named on the command line (all without names) and writes their ratios as
// JSON.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <sstream>

#include "bench.hpp"

namespace waybill::bench {
namespace {

std::vector<double> sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

double median_of(const std::vector<double>& values) {
  return percentile(values, 0.5);
}

boost::json::object to_json(const Measurement& m) {
  return {{"name", m.name},       {"ratio", m.ratio},   {"value", m.value},   {"unit", m.unit},
          {"against", m.against}, {"better", m.better}, {"median", m.median}, {"min", m.min},
          {"max", m.max},         {"rounds", m.rounds}};
}

// The entries of an earlier run that this one does not replace.
boost::json::array kept(const std::string& path, const std::vector<std::string>& wanted) {
  if (path.empty() || wanted.empty()) return {};
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  boost::system::error_code failed;
  const boost::json::value earlier = boost::json::parse(text.str(), failed);
  return failed || !earlier.is_array() ? boost::json::array() : earlier.as_array();
}

void put(boost::json::array& results, boost::json::object entry) {
  for (boost::json::value& result : results) {
    if (result.at("name") != entry.at("name")) continue;
    result = std::move(entry);
    return;
  }
  results.push_back(std::move(entry));
}

}  // namespace

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  values = sorted(std::move(values));
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(last * share + 0.5)];
}

Measurement compare(std::string name, std::string unit, std::string against, int rounds,
                    const std::function<double()>& ours, const std::function<double()>& yardstick) {
  std::vector<double> values;
  std::vector<double> limits;
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    // Turns change sides each round, so that a drift of the machine favours neither.
    const bool ours_first = round % 2 == 0;
    const double first = ours_first ? ours() : yardstick();
    const double second = ours_first ? yardstick() : ours();
    values.push_back(ours_first ? first : second);
    limits.push_back(ours_first ? second : first);
    ratios.push_back(values.back() / limits.back());
  }
  Measurement m = summarise(std::move(name), std::move(unit), {}, "higher", ratios);
  m.ratio = m.median;
  m.value = median_of(values);
  m.against = fmt::format("{}: {:.0f} {}", against, median_of(limits), m.unit);
  return m;
}

Measurement summarise(std::string name, std::string unit, std::string against, std::string better,
                      std::vector<double> values) {
  values = sorted(std::move(values));
  Measurement m;
  m.name = std::move(name);
  m.unit = std::move(unit);
  m.against = std::move(against);
  m.better = std::move(better);
  m.value = m.median = median_of(values);
  m.min = values.front();
  m.max = values.back();
  m.rounds = static_cast<int>(values.size());
  return m;
}

int main_of(int argc, char** argv) {
  std::string out;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--out" && i + 1 < argc) {
      out = argv[++i];
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  std::vector<Benchmark> all = sqlite_benchmarks();
  for (const auto& more : {relay_benchmarks(), scan_benchmarks(), end_to_end_benchmarks()}) {
    all.insert(all.end(), more.begin(), more.end());
  }

  const auto is_wanted = [&](const std::string& name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  for (const auto& name : wanted) {
    if (std::none_of(all.begin(), all.end(), [&](const Benchmark& b) { return b.name == name; })) {
      fmt::print(stderr, "no benchmark '{}'; there are:", name);
      for (const auto& benchmark : all) fmt::print(stderr, " {}", benchmark.name);
      fmt::print(stderr, "\n");
      return 2;
    }
  }
  boost::json::array results = kept(out, wanted);
  fmt::print("{:<28} {:>8} {:>12} {:<10} {}\n", "name", "ratio", "value", "unit", "against");
  for (const auto& benchmark : all) {
    if (!is_wanted(benchmark.name)) continue;
    for (const Measurement& m : benchmark.run()) {
      fmt::print("{:<28} {:>8.3f} {:>12.1f} {:<10} {}\n", m.name, m.ratio, m.value, m.unit,
                 m.against);
      std::fflush(stdout);
      put(results, to_json(m));
    }
  }
  if (!out.empty()) {
    std::ofstream file(out);
    file << boost::json::serialize(results) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "cannot write {}\n", out);
      return 1;
    }
  }
  return 0;
}

}  // namespace waybill::bench

int main(int argc, char** argv) {
  return waybill::bench::main_of(argc, argv);
}
