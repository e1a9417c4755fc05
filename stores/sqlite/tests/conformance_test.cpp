#include "sqlite_fixture.hpp"

namespace waybill::testing {

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance,
                         ::testing::Values(StoreUnderTest{
                             "sqlite", [] { return std::make_unique<sqlite::SqliteFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
