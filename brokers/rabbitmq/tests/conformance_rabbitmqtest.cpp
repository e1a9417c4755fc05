#include "rabbitmq_fixture.hpp"

namespace waybill::testing {

INSTANTIATE_TEST_SUITE_P(
    Rabbitmq, BrokerConformance,
    ::testing::Values(BrokerUnderTest{
        "rabbitmq", {.keeps_history = false}, [] { return std::make_unique<RabbitmqFixture>(); }}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
