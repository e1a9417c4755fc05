// What RabbitMQ's reply codes mean to waybill.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "waybill/publisher.hpp"

namespace waybill::rabbitmq {

// Why the server closed a connection: while it lets us in, most reasons are ours.
[[nodiscard]] PublishResult classify_refusal(std::uint16_t code, bool while_opening) noexcept;

// The one message for which the server closed the channel.
[[nodiscard]] PublishResult classify_culprit(std::uint16_t code) noexcept;

// The server's largest message, if the text of a refusal tells it.
[[nodiscard]] std::optional<std::size_t> message_bytes_max(std::string_view text) noexcept;

}  // namespace waybill::rabbitmq
