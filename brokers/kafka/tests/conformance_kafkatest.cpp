#include "kafka_fixture.hpp"

namespace waybill::testing {

INSTANTIATE_TEST_SUITE_P(Kafka, BrokerConformance,
                         ::testing::Values(BrokerUnderTest{
                             "kafka", {}, [] { return std::make_unique<KafkaFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace waybill::testing
