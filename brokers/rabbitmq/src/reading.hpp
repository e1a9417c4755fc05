// A delivery from the properties of an AMQP message.
#pragma once

#include <amqp.h>

#include <string_view>

#include "waybill/subscriber.hpp"

namespace waybill::rabbitmq {

// CloudEvents attributes under either prefix, as text or in AMQP's own types, or the id of
// WireFormat::plain. What is malformed changes nothing.
[[nodiscard]] Delivery read_properties(const amqp_basic_properties_t& properties);

// The name under which a message without an id is parked: the same at each delivery.
[[nodiscard]] std::string name_of(std::string_view queue, std::string_view body);

}  // namespace waybill::rabbitmq
