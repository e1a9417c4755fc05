#include <gtest/gtest.h>

#include <cstdlib>

#include "waybill/testing/simulation.hpp"

namespace waybill::testing {
namespace {

// Seeds of the faulty and of the healthy kind; WAYBILL_SIMULATION_SEEDS=n for more.
std::uint64_t seeds_per_test() {
  const char* wish = std::getenv("WAYBILL_SIMULATION_SEEDS");
  return wish == nullptr ? 1250 / WAYBILL_TEST_SLOWNESS : std::strtoull(wish, nullptr, 10) / 4;
}

// Which day finds a bug changes with every change of the engine's pace; the rarest took 67.
constexpr std::uint64_t kSeedsToFind = 400;
// Some are found on healthy days only: both kinds take turns.
constexpr std::uint64_t kSeedsAtOnce = 10;

std::string first_violation(SimulationOptions options, std::uint64_t from, std::uint64_t seeds) {
  for (options.seed = from; options.seed < from + seeds; ++options.seed) {
    const SimulationReport report = simulate(options);
    if (!report.violations.empty()) {
      return "seed " + std::to_string(options.seed) + ": " + report.violations.front();
    }
  }
  return {};
}

// Four parts, so that they run side by side.
class SimulatedDays : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulatedDays, A1_every_promise_holds) {
  SimulationOptions options;
  const std::uint64_t seeds = seeds_per_test();
  const std::uint64_t from = 1 + GetParam() * seeds;
  EXPECT_EQ(first_violation(options, from, seeds * 4 / 5), "");
  options.faults = false;
  EXPECT_EQ(first_violation(options, from, seeds / 5), "") << "without faults";
}

INSTANTIATE_TEST_SUITE_P(Part, SimulatedDays, ::testing::Range<std::uint64_t>(0, 4));

TEST(Simulation, the_same_seed_gives_the_same_run) {
  SimulationOptions options;
  options.seed = 42;
  options.history = true;
  const SimulationReport report = simulate(options);
  EXPECT_GT(report.history.size(), 500U);
  EXPECT_EQ(simulate(options).history, report.history);
}

TEST(Simulation, every_kind_of_trouble_occurs) {
  std::string all;
  SimulationOptions options;
  options.history = true;
  for (options.seed = 1; options.seed <= 30; ++options.seed) {
    for (const std::string& line : simulate(options).history) all += line + "\n";
  }
  for (const char* trouble : {"a relay is killed", "stands still", "is down", "lost everything",
                              "sleeps", "crashes", "restored from a backup", "rolls back",
                              "is rejected", "is removed from it", "replays", "copy 2", "DEAD"}) {
    EXPECT_NE(all.find(trouble), std::string::npos) << trouble;
  }
}

// A simulator is worth what it finds: each bug must be found by some day, faulty or healthy.
TEST(Simulation, finds_every_mutation) {
  const auto mutations = simulation_mutations();
  if (mutations.empty()) GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
  for (const std::string& mutation : mutations) {
    SimulationOptions options;
    options.mutation = mutation;
    std::string found;
    for (std::uint64_t from = 1; found.empty() && from <= kSeedsToFind; from += kSeedsAtOnce) {
      for (const bool faults : {true, false}) {
        options.faults = faults;
        if (found.empty()) found = first_violation(options, from, kSeedsAtOnce);
      }
    }
    EXPECT_NE(found, "") << mutation << " was not found";
    RecordProperty(mutation, found);
  }
}

}  // namespace
}  // namespace waybill::testing
