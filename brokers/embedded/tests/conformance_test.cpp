#include "queue_fixture.hpp"

namespace waybill::testing {

INSTANTIATE_TEST_SUITE_P(Embedded, BrokerConformance,
                         ::testing::Values(BrokerUnderTest{
                             "embedded", {}, [] { return std::make_unique<QueueFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
