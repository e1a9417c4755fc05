// The producer's side of the confirmation protocol: a function from request to reply.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "waybill/confirm/keys.hpp"
#include "waybill/confirm/request.hpp"
#include "waybill/confirm/signature.hpp"
#include "waybill/log.hpp"
#include "waybill/message_store.hpp"

namespace waybill::confirm {

struct EndpointOptions {
  std::size_t body_bytes_max = std::size_t{1} << 20;  // larger: 413
  std::size_t sessions_max = 8;                       // kept open between requests
  std::function<WallTime()> now = {};  // empty = the host's clock; used for the ±5 minutes only
  LogSink log = {};
};

struct EndpointStats {
  std::uint64_t accepted = 0;      // items answered done or already
  std::uint64_t not_found = 0;     // items
  std::uint64_t unauthorized = 0;  // requests
};

// Serves POST /api/v1/confirmations (see confirm/openapi.yaml).
//
// **Guarantee**: authenticates before it looks anything up. Each item is done | already |
// not_found; a repeated request gets the same answer as the first. An item of a consumer that the
// key does not belong to is not_found, and told as an alarm. Messages that a consumer failed for
// good are told to the log as an alarm, also when that is repeated.
// **Errors**, of the whole request, as application/problem+json: 400, 401, 404 (other path), 405,
// 413, and 503 when the database cannot answer now.
// **Ownership**: borrows the store. **Thread safety**: every member from any thread.
class Endpoint {
 public:
  Endpoint(MessageStore& store, KeyRing keys, EndpointOptions options);

  // Over another transport than HTTP a signature may be older, since the request waited there.
  [[nodiscard]] Reply handle(const Request& request,
                             std::chrono::seconds age_max = kTimestampTolerance);

  // Exchanges the keys; requests that run finish with the old ones.
  void set_keys(KeyRing keys);

  [[nodiscard]] EndpointStats stats() const;

 private:
  [[nodiscard]] Reply confirm(const std::string& consumer, const std::string& body);
  void count(const std::vector<Confirmation>& items, const std::vector<ConfirmResult>& results);
  void alarm(const std::vector<const Confirmation*>& items, std::string_view what) const;
  [[nodiscard]] Result<std::vector<ConfirmResult>> write(const std::vector<Confirmation>& items);
  [[nodiscard]] Result<std::unique_ptr<ConfirmSession>> take_session();
  void give_back(std::unique_ptr<ConfirmSession> session);

  MessageStore& store_;
  const EndpointOptions options_;
  mutable std::mutex mutex_;             // guards the members below
  std::shared_ptr<const KeyRing> keys_;  // shared with the requests that run
  std::vector<std::unique_ptr<ConfirmSession>> sessions_;
  EndpointStats stats_;
};

}  // namespace waybill::confirm
