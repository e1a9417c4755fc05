#include "rabbitmq_fixture.hpp"

namespace waybill::testing {
namespace {

const BrokerUnderTest kRabbitmq{"rabbitmq",
                                {.keeps_history = false},
                                [] { return std::make_unique<RabbitmqFixture>(); },
                                [] { return std::make_unique<HarmableRabbitmq>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Rabbitmq, BrokerConformance, ::testing::Values(kRabbitmq),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(Rabbitmq, BrokerFaultConformance, ::testing::Values(kRabbitmq),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
