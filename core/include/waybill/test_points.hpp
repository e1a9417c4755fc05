// Places between durable steps where a test can end the process, and known bugs that it can switch
// on. Without the CMake option WAYBILL_TEST_POINTS both are constants and leave no code behind.
#pragma once

#ifdef WAYBILL_TEST_POINTS

#include <string_view>

namespace waybill::test_points {

// The environment variable WAYBILL_TEST_POINT="NAME:ACTION[:N]" makes the N-th crossing (the first
// by default) of the point NAME do something: kill (SIGKILL), stop (SIGSTOP) or throw
// (std::runtime_error). **Thread safety**: from any thread.
void reach(std::string_view name);

// Switches one mutation on, for the whole process; an empty name switches it off.
void set_mutation(std::string_view name);
[[nodiscard]] bool is_mutated(std::string_view name) noexcept;

}  // namespace waybill::test_points

#define WAYBILL_TEST_POINT(name) ::waybill::test_points::reach(name)
#define WAYBILL_MUTATION(name) ::waybill::test_points::is_mutated(name)
#else
#define WAYBILL_TEST_POINT(name) static_cast<void>(0)
#define WAYBILL_MUTATION(name) false
#endif
