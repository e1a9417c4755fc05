#include "queue_fixture.hpp"

namespace waybill::testing {
namespace {

const BrokerUnderTest kEmbedded{"embedded",
                                {.forgets_destinations = false},
                                [] { return std::make_unique<QueueFixture>(); },
                                [] { return std::make_unique<HarmableQueue>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Embedded, BrokerConformance, ::testing::Values(kEmbedded),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(Embedded, BrokerFaultConformance, ::testing::Values(kEmbedded),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
