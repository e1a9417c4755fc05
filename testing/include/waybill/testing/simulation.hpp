// The relay's engine in a world of models: a table, a broker, consumers, confirmations and an
// operator on a virtual clock, with faults that a seed decides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace waybill::testing {

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::uint32_t orders = 200;
  bool faults = true;    // false: nothing fails, and the stricter rules of a healthy day hold
  bool history = false;  // keep what happened, one line each
  std::string mutation;  // a bug to switch on, see simulation_mutations()
};

struct SimulationReport {
  // What was broken, with the virtual time; empty = every promise held.
  std::vector<std::string> violations;
  std::vector<std::string> history;
  std::uint64_t rows = 0;        // committed
  std::uint64_t copies = 0;      // that the broker accepted
  std::uint64_t effects = 0;     // that consumers applied
  std::uint64_t kills = 0;       // of relays, senders and consumers
  std::uint64_t virtual_ms = 0;  // until everything was finished
};

// Checked after each event: only committed messages reach the broker; states change by the arrows
// of message_state.hpp only; a row is marked as sent only when the broker has it, and as done only
// when its consumers are; no effect twice; rows of an ordered key first reach the broker in order;
// copies stay bounded. Then the faults stop, an operator replays what is DEAD, and everything must
// be finished within ten virtual minutes.
// **Guarantee**: the same options give the same run.
[[nodiscard]] SimulationReport simulate(const SimulationOptions& options);

// Names of the bugs that are compiled into the engine for tests; each must be found by some seed.
// Empty without WAYBILL_TEST_POINTS.
[[nodiscard]] std::vector<std::string> simulation_mutations();

}  // namespace waybill::testing
