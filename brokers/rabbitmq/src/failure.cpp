#include "failure.hpp"

#include <amqp.h>

#include <charconv>

namespace waybill::rabbitmq {

PublishResult classify_refusal(std::uint16_t code, bool while_opening) noexcept {
  if (!while_opening) return PublishResult::unreachable;
  switch (code) {
    case AMQP_ACCESS_REFUSED:  // the login
    case AMQP_INVALID_PATH:
    case AMQP_NOT_ALLOWED:  // the virtual host
      return PublishResult::destination_down;
    default:
      return PublishResult::unreachable;
  }
}

PublishResult classify_culprit(std::uint16_t code) noexcept {
  switch (code) {
    case AMQP_CONTENT_TOO_LARGE:
    case AMQP_PRECONDITION_FAILED:
      return PublishResult::rejected;
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_FOUND:
    case AMQP_RESOURCE_LOCKED:
      return PublishResult::destination_down;
    default:
      return PublishResult::unknown;
  }
}

std::optional<std::size_t> message_bytes_max(std::string_view text) noexcept {
  constexpr std::string_view kBefore = "max size ";
  const std::size_t found = text.find(kBefore);
  if (found == text.npos) return std::nullopt;
  text.remove_prefix(found + kBefore.size());
  std::size_t bytes = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc{}) return std::nullopt;
  return bytes;
}

}  // namespace waybill::rabbitmq
