#include "kafka_fixture.hpp"

namespace waybill::testing {
namespace {

const BrokerUnderTest kKafka{"kafka",
                             {},
                             [] { return std::make_unique<KafkaFixture>(); },
                             [] { return std::make_unique<HarmableKafka>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Kafka, BrokerConformance, ::testing::Values(kKafka),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(Kafka, BrokerFaultConformance, ::testing::Values(kKafka),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
