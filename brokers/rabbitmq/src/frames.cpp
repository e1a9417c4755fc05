#include "frames.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

namespace waybill::rabbitmq {
namespace {

constexpr std::size_t kMethodBytesMax = 4096;  // the smallest frame that AMQP allows
constexpr std::size_t kShortMax = 255;
constexpr std::size_t kFrameOverhead = 8;  // type, channel, size and end mark
constexpr std::size_t kContentFixed = 14;  // class, weight, body size, flags
constexpr char kPersistent = 2;

template <class T>
void append_number(std::string& out, T number) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> shift));
  }
}

void append_short(std::string& out, std::string_view text) {
  out.push_back(static_cast<char>(text.size()));
  out += text;
}

void begin_frame(std::string& out, std::uint8_t type, amqp_channel_t channel, std::size_t size) {
  append_number(out, type);
  append_number(out, channel);
  append_number(out, static_cast<std::uint32_t>(size));
}

void end_frame(std::string& out) {
  out.push_back(static_cast<char>(AMQP_FRAME_END));
}

}  // namespace

amqp_bytes_t to_bytes(std::string_view text) noexcept {
  return {text.size(), const_cast<char*>(text.data())};  // NOLINT: rabbitmq-c does not write there
}

std::string_view to_view(amqp_bytes_t bytes) noexcept {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

amqp_table_entry_t text_entry(const char* key, std::string_view value) noexcept {
  amqp_table_entry_t entry{};
  entry.key = to_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = to_bytes(value);
  return entry;
}

amqp_table_entry_t flag_entry(const char* key) noexcept {
  amqp_table_entry_t entry{};
  entry.key = to_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

amqp_table_t to_table(std::span<amqp_table_entry_t> entries) noexcept {
  return {static_cast<int>(entries.size()), entries.data()};
}

void append_method(std::string& out, amqp_channel_t channel, amqp_method_number_t id,
                   void* method) {
  std::array<char, kMethodBytesMax> encoded;
  const int size = amqp_encode_method(id, method, {encoded.size(), encoded.data()});
  // Names and credentials are checked to be short strings before.
  if (size < 0) throw std::bad_alloc();
  begin_frame(out, AMQP_FRAME_METHOD, channel, static_cast<std::size_t>(size) + sizeof(id));
  append_number(out, id);
  out.append(encoded.data(), static_cast<std::size_t>(size));
  end_frame(out);
}

void append_heartbeat(std::string& out) {
  begin_frame(out, AMQP_FRAME_HEARTBEAT, 0, 0);
  end_frame(out);
}

void HeaderTable::add(std::string_view prefix, std::string_view name, std::string_view value) {
  append_number(bytes_, static_cast<std::uint8_t>(prefix.size() + name.size()));
  bytes_ += prefix;
  bytes_ += name;
  append_number(bytes_, static_cast<std::uint8_t>(AMQP_FIELD_KIND_UTF8));
  append_number(bytes_, static_cast<std::uint32_t>(value.size()));
  bytes_ += value;
}

void HeaderTable::add(std::string_view name, std::int64_t value) {
  append_short(bytes_, name);
  append_number(bytes_, static_cast<std::uint8_t>(AMQP_FIELD_KIND_I64));
  append_number(bytes_, value);
}

std::size_t content_header_bytes(const HeaderTable& headers, std::string_view message_id) noexcept {
  const std::size_t id_bytes = message_id.size() > kShortMax ? 0 : 1 + message_id.size();
  return kFrameOverhead + kContentFixed + sizeof(std::uint32_t) + headers.bytes().size() +
         sizeof(kPersistent) + id_bytes;
}

void append_content(std::string& out, const HeaderTable& headers, std::string_view message_id,
                    std::string_view body, std::size_t frame_bytes_max) {
  const bool has_id = message_id.size() <= kShortMax;
  begin_frame(out, AMQP_FRAME_HEADER, kChannel,
              content_header_bytes(headers, message_id) - kFrameOverhead);
  append_number(out, static_cast<std::uint16_t>(AMQP_BASIC_CLASS));
  append_number(out, std::uint16_t{0});
  append_number(out, static_cast<std::uint64_t>(body.size()));
  append_number(out,
                static_cast<std::uint16_t>(AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                                           (has_id ? AMQP_BASIC_MESSAGE_ID_FLAG : 0)));
  append_number(out, static_cast<std::uint32_t>(headers.bytes().size()));
  out += headers.bytes();
  out.push_back(kPersistent);
  if (has_id) append_short(out, message_id);
  end_frame(out);
  while (!body.empty()) {
    const std::string_view part = body.substr(0, frame_bytes_max - kFrameOverhead);
    begin_frame(out, AMQP_FRAME_BODY, kChannel, part.size());
    out += part;
    end_frame(out);
    body.remove_prefix(part.size());
  }
}

Decoder::Decoder() : state_(amqp_new_connection()) {
  if (!state_) throw std::bad_alloc();
}

void Decoder::allow_frames_of(std::size_t bytes_max) {
  if (amqp_tune_connection(state_.get(), 0, static_cast<int>(bytes_max), 0) != AMQP_STATUS_OK) {
    throw std::bad_alloc();
  }
}

Decoder::Result Decoder::next(std::string_view& bytes, amqp_frame_t& frame) {
  // What the frame before this one used.
  amqp_maybe_release_buffers_on_channel(state_.get(), 0);
  amqp_maybe_release_buffers_on_channel(state_.get(), kChannel);
  while (!bytes.empty()) {
    const int taken = amqp_handle_input(state_.get(), to_bytes(bytes), &frame);
    if (taken < 0) return Result::broken;
    bytes.remove_prefix(static_cast<std::size_t>(taken));
    if (frame.frame_type != 0) return Result::frame;
  }
  return Result::more;
}

}  // namespace waybill::rabbitmq
