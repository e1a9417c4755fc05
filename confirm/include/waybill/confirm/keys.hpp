// Who may confirm: keys, each of exactly one consumer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "waybill/error.hpp"

namespace waybill::confirm {

struct Key {
  std::string id;        // 1…64 of [A-Za-z0-9._-]; unique
  std::string consumer;  // whose it is
  std::string secret;    // 16…256 bytes, shared with the consumer
};

// An immutable set of live keys; at most three a consumer, so that they can be exchanged without a
// gap.
// **Thread safety**: a value; reading from any thread.
class KeyRing {
 public:
  // **Errors**: fix_call for a bad or repeated id, a short secret, a fourth key of a consumer. No
  // text holds a secret.
  [[nodiscard]] static Result<KeyRing> make(std::vector<Key> keys);

  [[nodiscard]] const Key* find(std::string_view id) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

 private:
  std::vector<Key> keys_;
};

}  // namespace waybill::confirm
