// AMQP 0-9-1 frames to and from bytes, with rabbitmq-c as the codec.
#pragma once

#include <amqp.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "socket.hpp"

namespace waybill::rabbitmq {

// The one channel that each connection uses.
inline constexpr amqp_channel_t kChannel = 1;

[[nodiscard]] amqp_bytes_t to_bytes(std::string_view text) noexcept;
[[nodiscard]] std::string_view to_view(amqp_bytes_t bytes) noexcept;

[[nodiscard]] amqp_table_entry_t text_entry(const char* key, std::string_view value) noexcept;
[[nodiscard]] amqp_table_entry_t flag_entry(const char* key) noexcept;
[[nodiscard]] amqp_table_t to_table(std::span<amqp_table_entry_t> entries) noexcept;

// Appends a method frame. `method` is the amqp_..._t that belongs to the id.
void append_method(std::string& out, amqp_channel_t channel, amqp_method_number_t id, void* method);
void append_heartbeat(std::string& out);

// The header table of a message that is being written.
class HeaderTable {
 public:
  void clear() noexcept { bytes_.clear(); }
  void add(std::string_view prefix, std::string_view name, std::string_view value);
  void add(std::string_view name, std::int64_t value);
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

// What appending a content of such headers takes beside its body in one frame.
[[nodiscard]] std::size_t content_header_bytes(const HeaderTable& headers,
                                               std::string_view message_id) noexcept;

// Appends the content of a persistent message: its header frame and its body in frames. A message
// id of more than 255 bytes is left out.
void append_content(std::string& out, const HeaderTable& headers, std::string_view message_id,
                    std::string_view body, std::size_t frame_bytes_max);

// Bytes as they come, to frames.
class Decoder {
 public:
  Decoder();

  void allow_frames_of(std::size_t bytes_max);

  enum class Result { frame, more, broken };
  // Takes from the front of `bytes` until a frame is complete; it lives until the next call.
  [[nodiscard]] Result next(std::string_view& bytes, amqp_frame_t& frame);

 private:
  static void destroy(amqp_connection_state_t state) noexcept { amqp_destroy_connection(state); }

  Owned<std::remove_pointer_t<amqp_connection_state_t>, destroy> state_;
};

}  // namespace waybill::rabbitmq
