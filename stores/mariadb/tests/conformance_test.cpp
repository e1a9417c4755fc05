#include "mariadb_fixture.hpp"

namespace waybill::testing {

INSTANTIATE_TEST_SUITE_P(Mariadb, StoreConformance,
                         ::testing::Values(StoreUnderTest{
                             "mariadb",
                             [] { return std::make_unique<mariadb::MariadbFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
