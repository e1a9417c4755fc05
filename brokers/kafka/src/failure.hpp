// What librdkafka's errors mean to waybill.
#pragma once

#include <librdkafka/rdkafka.h>

#include "waybill/publisher.hpp"

namespace waybill::kafka {

// The outcome of one message: `error` of its delivery report or of handing it over, what librdkafka
// knows of its fate, and `trouble`, the client's last error since it was well.
[[nodiscard]] PublishResult classify(rd_kafka_resp_err_t error, rd_kafka_msg_status_t status,
                                     rd_kafka_resp_err_t trouble) noexcept;

// True for what does not pass by itself: a missing topic, denied access, refused credentials.
[[nodiscard]] bool is_destination_failure(rd_kafka_resp_err_t error) noexcept;

}  // namespace waybill::kafka
