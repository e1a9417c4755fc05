#include "waybill/confirm/keys.hpp"

#include <algorithm>

namespace waybill::confirm {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kSecretBytesMin = 16;
constexpr std::size_t kSecretBytesMax = 256;
constexpr std::ptrdiff_t kKeysPerConsumerMax = 3;

bool is_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

Error refuse(std::string text, std::string hint) {
  return {Remedy::fix_call, std::move(text), std::move(hint)};
}

}  // namespace

Result<KeyRing> KeyRing::make(std::vector<Key> keys) {
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    if (!is_name(key->id) || !is_name(key->consumer)) {
      return refuse("key '" + key->id + "' of consumer '" + key->consumer + "' cannot be used",
                    "id and consumer are 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    if (key->secret.size() < kSecretBytesMin || key->secret.size() > kSecretBytesMax) {
      return refuse("the secret of key '" + key->id + "' has " +
                        std::to_string(key->secret.size()) + " bytes",
                    "16 to 256 bytes, for example from: openssl rand -hex 32");
    }
    const auto before = [&](const auto& matches) {
      return std::count_if(keys.begin(), key, matches);
    };
    if (before([&](const Key& other) { return other.id == key->id; }) > 0) {
      return refuse("key id '" + key->id + "' is there twice", "an id belongs to exactly one key");
    }
    if (before([&](const Key& other) { return other.consumer == key->consumer; }) >=
        kKeysPerConsumerMax) {
      return refuse("consumer '" + key->consumer + "' has more than 3 keys", "remove the oldest");
    }
  }
  KeyRing ring;
  ring.keys_ = std::move(keys);
  return ring;
}

const Key* KeyRing::find(std::string_view id) const noexcept {
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace waybill::confirm
