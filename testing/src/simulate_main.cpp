// Runs simulations by seed and prints the history of the first that fails.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "waybill/testing/simulation.hpp"

namespace {

using waybill::testing::simulate;
using waybill::testing::SimulationOptions;
using waybill::testing::SimulationReport;

constexpr const char* kUsage =
    "usage: waybill_simulate [--from SEED] [--seeds N] [--orders N] [--calm] [--mutation NAME] "
    "[--history]\n"
    "Runs N seeds (100 by default) and stops at the first that breaks a promise.\n"
    "--calm      nothing fails, and stricter rules hold\n"
    "--mutation  switches a known bug on (builds with WAYBILL_TEST_POINTS); --mutation list names "
    "them\n"
    "--history   prints what happened, also when all is well\n"
    "Exit code: 0 every promise held, 1 one was broken, 2 bad arguments.\n"
    "Example: waybill_simulate --from 4711 --seeds 1 --history\n";

void print(const SimulationReport& report) {
  for (const std::string& line : report.history) std::printf("%s\n", line.c_str());
}

int fail(SimulationOptions options, const SimulationReport& report) {
  options.history = true;
  print(simulate(options));
  for (const std::string& violation : report.violations)
    std::printf("broken: %s\n", violation.c_str());
  std::printf("repeat it with: waybill_simulate --from %llu --seeds 1 --orders %u%s\n",
              static_cast<unsigned long long>(options.seed), options.orders,
              options.faults ? "" : " --calm");
  return 1;
}

bool read(const char* text, std::uint64_t& number) {
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  return error == std::errc() && rest == end;
}

int usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  SimulationOptions options;
  std::uint64_t seeds = 100;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    std::uint64_t number = 0;
    const bool has_value = i + 1 < argc;
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (name == "--calm") {
      options.faults = false;
    } else if (name == "--history") {
      options.history = true;
    } else if (name == "--mutation" && has_value) {
      options.mutation = argv[++i];
    } else if (has_value && read(argv[i + 1], number)) {
      ++i;
      if (name == "--from") {
        options.seed = number;
      } else if (name == "--seeds") {
        seeds = number;
      } else if (name == "--orders" && number <= 1'000'000) {
        options.orders = static_cast<std::uint32_t>(number);
      } else {
        return usage();
      }
    } else {
      return usage();
    }
  }
  const std::vector<std::string> mutations = waybill::testing::simulation_mutations();
  if (options.mutation == "list") {
    for (const std::string& name : mutations) std::printf("%s\n", name.c_str());
    return 0;
  }
  if (!options.mutation.empty() &&
      std::find(mutations.begin(), mutations.end(), options.mutation) == mutations.end()) {
    std::fprintf(stderr, "no mutation '%s'; --mutation list names them\n",
                 options.mutation.c_str());
    return 2;
  }
  std::uint64_t rows = 0;
  std::uint64_t copies = 0;
  std::uint64_t kills = 0;
  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < seeds; ++i, ++options.seed) {
    const SimulationReport report = simulate(options);
    if (!report.violations.empty()) return fail(options, report);
    if (options.history) print(report);
    rows += report.rows;
    copies += report.copies;
    kills += report.kills;
    if ((i + 1) % 1000 == 0) {
      std::fprintf(stderr, "%llu seeds\n", static_cast<unsigned long long>(i + 1));
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("%llu seeds in %.1f s: %llu rows, %llu copies, %llu kills; every promise held\n",
              static_cast<unsigned long long>(seeds), took.count(),
              static_cast<unsigned long long>(rows), static_cast<unsigned long long>(copies),
              static_cast<unsigned long long>(kills));
  return 0;
}
