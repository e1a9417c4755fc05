#include "reading.hpp"

#include <openssl/evp.h>

#include <array>
#include <optional>
#include <string>

#include "frames.hpp"
#include "waybill/brokers/cloud_events.hpp"
#include "waybill/message_id.hpp"

namespace waybill::rabbitmq {
namespace {

constexpr std::string_view kPrefixes[] = {"cloudEvents_", "cloudEvents:"};

// The canonical string form, as CloudEvents defines it.
std::optional<std::string> text_of(const amqp_field_value_t& field) {
  switch (field.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return std::string(to_view(field.value.bytes));
    case AMQP_FIELD_KIND_BOOLEAN:
      return field.value.boolean != 0 ? "true" : "false";
    case AMQP_FIELD_KIND_I8:
      return std::to_string(field.value.i8);
    case AMQP_FIELD_KIND_U8:
      return std::to_string(field.value.u8);
    case AMQP_FIELD_KIND_I16:
      return std::to_string(field.value.i16);
    case AMQP_FIELD_KIND_U16:
      return std::to_string(field.value.u16);
    case AMQP_FIELD_KIND_I32:
      return std::to_string(field.value.i32);
    case AMQP_FIELD_KIND_U32:
      return std::to_string(field.value.u32);
    case AMQP_FIELD_KIND_I64:
      return std::to_string(field.value.i64);
    case AMQP_FIELD_KIND_TIMESTAMP:
      if (field.value.u64 > 253'402'300'799U) return std::nullopt;  // the year 9999
      return cloud_events::to_rfc3339(
          DatabaseTime(std::chrono::seconds(static_cast<std::int64_t>(field.value.u64))));
    default:
      return std::nullopt;
  }
}

void read_header(const amqp_table_entry_t& entry, Delivery& delivery) {
  const std::string_view name = to_view(entry.key);
  if (name == cloud_events::kPlainIdHeader && delivery.message_id.empty()) {
    delivery.message_id = text_of(entry.value).value_or("");
    return;
  }
  for (const std::string_view prefix : kPrefixes) {
    if (!name.starts_with(prefix)) continue;
    if (const auto value = text_of(entry.value)) {
      cloud_events::read({name.substr(prefix.size()), *value}, delivery);
    } else if (delivery.defect.empty()) {
      delivery.defect = "the header '" + std::string(name) + "' has a type that no attribute has";
    }
  }
}

}  // namespace

Delivery read_properties(const amqp_basic_properties_t& properties) {
  Delivery delivery;
  if ((properties._flags & AMQP_BASIC_HEADERS_FLAG) == 0) return delivery;
  for (int i = 0; i < properties.headers.num_entries; ++i) {
    read_header(properties.headers.entries[i], delivery);
  }
  if (delivery.message_id.size() > kMessageIdBytesMax) delivery.message_id.clear();
  return delivery;
}

std::string name_of(std::string_view queue, std::string_view body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(body.data(), body.size(), digest.data(), &size, EVP_sha256(), nullptr);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = "rabbitmq:" + std::string(queue) + ":";
  for (unsigned i = 0; i < size; ++i) {
    name.push_back(kDigits[digest[i] >> 4U]);
    name.push_back(kDigits[digest[i] & 15U]);
  }
  return name;
}

}  // namespace waybill::rabbitmq
