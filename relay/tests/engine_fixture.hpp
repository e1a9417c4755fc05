// What the engine's tests share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "waybill/testing/engine_bench.hpp"

namespace waybill::relay::testing {

using waybill::testing::BenchOptions;
using waybill::testing::EngineBench;
using waybill::testing::ModelClock;
using waybill::testing::ModelStore;
using waybill::testing::Seen;

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

inline Route route(std::string type, std::string destination = "topic") {
  Route route;
  route.message_type = std::move(type);
  route.destination = std::move(destination);
  return route;
}

inline Route confirmed_route(std::string type, Millis deadline = seconds(30)) {
  Route confirmed = route(std::move(type));
  confirmed.consumers = {"points"};
  confirmed.confirm_deadline = deadline;
  return confirmed;
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : store(clock) { store.set_route(route("a")); }

  EngineBench& make(BenchOptions options = {}, Mode mode = Mode::serve) {
    bench = std::make_unique<EngineBench>(clock, store, std::move(options), mode);
    return *bench;
  }

  void TearDown() override {
    if (bench) {
      EXPECT_EQ(bench->broken_rules(), std::vector<std::string>());
    }
  }

  void insert(int rows, std::string_view type = "a") {
    for (int i = 0; i < rows; ++i) store.insert(type);
  }

  ModelClock clock;
  ModelStore store;
  std::unique_ptr<EngineBench> bench;
};

}  // namespace waybill::relay::testing
