#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

#include "bench.hpp"
#include "programs.hpp"
#include "servers.hpp"

namespace waybill::bench {
namespace {

double median_of(std::vector<double> values) {
  return percentile(std::move(values), 0.5);
}

Measurement summary(std::string name, std::string unit, std::string better,
                    const std::vector<double>& values, const std::vector<double>& ratios) {
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  Measurement m;
  m.name = std::move(name);
  m.unit = std::move(unit);
  m.better = std::move(better);
  m.value = median_of(values);
  m.ratio = m.median = median_of(ratios);
  m.min = *least;
  m.max = *most;
  m.rounds = static_cast<int>(ratios.size());
  return m;
}

}  // namespace

// Four digits say all that a measurement knows.
std::string figure(double value) {
  if (value == 0) return "0";
  const double unit = std::pow(10.0, 3 - std::floor(std::log10(std::abs(value))));
  return fmt::format("{}", std::round(value * unit) / unit);
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(last * share + 0.5)];
}

Measurement compare(std::string name, std::string unit, std::string against, int rounds,
                    const std::function<double()>& ours, const std::function<double()>& yardstick,
                    std::string better) {
  std::vector<double> values;
  std::vector<double> yardsticks;
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    // Turns change sides each round, so that a drift of the machine favours neither.
    const bool ours_first = round % 2 == 0;
    const double first = ours_first ? ours() : yardstick();
    const double second = ours_first ? yardstick() : ours();
    values.push_back(ours_first ? first : second);
    yardsticks.push_back(ours_first ? second : first);
    ratios.push_back(values.back() / yardsticks.back());
  }
  Measurement m = summary(std::move(name), std::move(unit), std::move(better), values, ratios);
  m.against = fmt::format("{}: {} {}", against, figure(median_of(yardsticks)), m.unit);
  return m;
}

namespace {

Measurement against_goal(std::string name, std::string unit, const std::string& against,
                         const char* goal_word, double goal, const std::vector<double>& values,
                         std::string better) {
  std::vector<double> ratios;
  for (const double value : values) ratios.push_back(value / goal);
  Measurement m = summary(std::move(name), std::move(unit), std::move(better), values, ratios);
  m.against = fmt::format("{} {} {}{}{}", goal_word, figure(goal), m.unit,
                          against.empty() ? "" : ", ", against);
  return m;
}

}  // namespace

Measurement within(std::string name, std::string unit, std::string against, double limit,
                   std::vector<double> values) {
  return against_goal(std::move(name), std::move(unit), against, "limit", limit, values, "lower");
}

Measurement reach(std::string name, std::string unit, std::string against, double goal,
                  std::vector<double> values) {
  return against_goal(std::move(name), std::move(unit), against, "goal", goal, values, "higher");
}

std::int64_t kept_rows() {
  const char* wanted = std::getenv("WAYBILL_BENCH_ROWS");
  return wanted == nullptr ? 2'000'000 : std::atoll(wanted);
}

Cost cost_of(double count, pid_t server, const std::function<void()>& work) {
  forget_peak_memory();
  const double cpu_before = cpu_seconds(server);
  const auto started = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  return {count / took.count(), (cpu_seconds(server) - cpu_before) * 1000 / count,
          peak_memory(getpid())};
}

std::vector<std::string> cost_entries(const std::string& name) {
  return {name, name + ".cpu", name + ".memory"};
}

std::vector<Measurement> compare_costs(const std::string& name, std::string unit,
                                       const std::string& against, int rounds,
                                       const std::function<Cost()>& ours,
                                       const std::function<Cost()>& yardstick) {
  std::vector<Cost> our_costs;
  std::vector<Cost> their_costs;
  Measurement rate = compare(
      name, std::move(unit), against, rounds, [&] { return our_costs.emplace_back(ours()).rate; },
      [&] { return their_costs.emplace_back(yardstick()).rate; });
  const auto compare_field = [&](const char* entry, const char* field_unit, double Cost::*field) {
    std::vector<double> our_values;
    std::vector<double> their_values;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < our_costs.size(); ++i) {
      our_values.push_back(our_costs[i].*field);
      their_values.push_back(their_costs[i].*field);
      ratios.push_back(our_values[i] / their_values[i]);
    }
    Measurement m = summary(name + entry, field_unit, "lower", our_values, ratios);
    m.against = fmt::format("{}: {} {}", against, figure(median_of(their_values)), m.unit);
    return m;
  };
  return {std::move(rate), compare_field(".cpu", "s/1000", &Cost::cpu_per_1000),
          compare_field(".memory", "MiB", &Cost::peak_mib)};
}

void in_parallel(std::size_t threads, const std::function<void(std::size_t)>& work) {
  if (threads == 1) return work(0);
  std::mutex mutex;
  std::exception_ptr failed;
  {
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        try {
          work(i);
        } catch (...) {
          const std::lock_guard lock(mutex);
          failed = std::current_exception();
        }
      });
    }
  }
  if (failed) std::rethrow_exception(failed);
}

}  // namespace waybill::bench
