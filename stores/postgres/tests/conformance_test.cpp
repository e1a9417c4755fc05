#include "postgres_fixture.hpp"

namespace waybill::testing {

INSTANTIATE_TEST_SUITE_P(Postgres, StoreConformance,
                         ::testing::Values(StoreUnderTest{
                             "postgres",
                             [] { return std::make_unique<postgres::PostgresFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
