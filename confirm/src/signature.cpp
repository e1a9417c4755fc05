#include "waybill/confirm/signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace waybill::confirm {
namespace {

constexpr std::string_view kVersion = "v1,";

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view header(const Request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (std::equal(key.begin(), key.end(), name.begin(), name.end(),
                   [](char a, char b) { return lower(a) == lower(b); })) {
      return value;
    }
  }
  return {};
}

std::string signature_of(std::string_view secret, std::string_view id, std::string_view timestamp,
                         std::string_view body) {
  std::string signed_text;
  signed_text.reserve(id.size() + timestamp.size() + body.size() + 2);
  signed_text.append(id).append(".").append(timestamp).append(".").append(body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // An empty signature would match an empty one.
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), digest,
           &size) == nullptr) {
    throw std::runtime_error("HMAC-SHA256 cannot be computed");
  }
  std::string text((EVP_MAX_MD_SIZE + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), digest,
                                     static_cast<int>(size));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

bool same(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_timely(std::string_view timestamp, WallTime now, std::chrono::seconds age_max) {
  std::int64_t seconds = 0;
  const auto [end, failed] =
      std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), seconds);
  if (failed != std::errc() || end != timestamp.data() + timestamp.size()) return false;
  constexpr std::int64_t kTolerance = std::chrono::seconds(kTimestampTolerance).count();
  const std::int64_t here = now.time_since_epoch().count();
  return seconds >= here - age_max.count() && seconds <= here + kTolerance;
}

}  // namespace

void sign(Request& request, const Key& key, std::string_view webhook_id, WallTime now) {
  const std::string timestamp = std::to_string(now.time_since_epoch().count());
  request.headers.emplace_back("webhook-id", webhook_id);
  request.headers.emplace_back("webhook-timestamp", timestamp);
  request.headers.emplace_back(
      "webhook-signature",
      std::string(kVersion) + signature_of(key.secret, webhook_id, timestamp, request.body));
  request.headers.emplace_back("waybill-key-id", key.id);
}

const Key* verify(const Request& request, const KeyRing& keys, WallTime now,
                  std::chrono::seconds age_max) {
  const std::string_view id = header(request, "webhook-id");
  const std::string_view timestamp = header(request, "webhook-timestamp");
  std::string_view signatures = header(request, "webhook-signature");
  const Key* key = keys.find(header(request, "waybill-key-id"));
  if (key == nullptr || id.empty() || !is_timely(timestamp, now, age_max)) return nullptr;
  const std::string expected = signature_of(key->secret, id, timestamp, request.body);
  while (!signatures.empty()) {
    const std::size_t space = std::min(signatures.find(' '), signatures.size());
    const std::string_view one = signatures.substr(0, space);
    if (one.starts_with(kVersion) && same(one.substr(kVersion.size()), expected)) return key;
    signatures.remove_prefix(std::min(space + 1, signatures.size()));
  }
  return nullptr;
}

}  // namespace waybill::confirm
