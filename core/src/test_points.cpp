#include "waybill/test_points.hpp"

#ifdef WAYBILL_TEST_POINTS

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace waybill::test_points {
namespace {

struct Plan {
  std::string name;
  std::string action;
  long crossing = 1;
};

Plan read_plan() {
  const char* text = std::getenv("WAYBILL_TEST_POINT");
  if (text == nullptr) return {};
  const std::string_view rest(text);
  Plan plan;
  const std::size_t first = rest.find(':');
  const std::size_t second = rest.find(':', first + 1);
  plan.name = rest.substr(0, first);
  if (first != std::string_view::npos) plan.action = rest.substr(first + 1, second - first - 1);
  if (second != std::string_view::npos)
    plan.crossing = std::stol(std::string(rest.substr(second + 1)));
  return plan;
}

std::string g_mutation;
std::atomic<bool> g_mutated = false;

}  // namespace

void reach(std::string_view name) {
  static const Plan plan = read_plan();
  static std::atomic<long> crossings = 0;
  if (plan.name.empty() || plan.name != name || ++crossings != plan.crossing) return;
  // Before the act: whoever planned it wants to know that it happened.
  const std::string line = "test point " + plan.name + ": " + plan.action + "\n";
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) std::abort();
  if (plan.action == "kill") std::raise(SIGKILL);
  if (plan.action == "stop") std::raise(SIGSTOP);
  if (plan.action == "throw") throw std::runtime_error("test point " + plan.name);
}

void set_mutation(std::string_view name) {
  g_mutation = name;
  g_mutated = !name.empty();
}

bool is_mutated(std::string_view name) noexcept {
  return g_mutated.load(std::memory_order_relaxed) && g_mutation == name;
}

}  // namespace waybill::test_points

#endif
