// The port to the consumer's inbox table, for what happens outside the handler's transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/confirmation.hpp"
#include "waybill/error.hpp"

namespace waybill {

// An inbox row that the producer has not answered for yet.
struct PendingConfirmation {
  std::string message_id;
  std::uint32_t epoch = 0;
  Verdict verdict = Verdict::done;
  std::string reason;
  DatabaseTime sent_at;
  DatabaseTime gmt_create;
  std::int64_t position = 0;  // keyset for paging, grows
};

struct ParkedMessage {
  std::string message_id;
  std::string message_type;
  std::string body;
  std::string reason;
  std::uint32_t epoch = 0;
  std::uint32_t attempts = 0;
  DatabaseTime gmt_create;
  std::string consumer;
  std::string key;          // as it came, or empty
  std::string traceparent;  // or empty
};

// Every call is one short transaction of its own.
// **Errors**: as RelaySession. **Thread safety**: confined to one thread.
class InboxSession {
 public:
  virtual ~InboxSession() = default;

  // Rows of `consumer` with confirmed_at NULL, oldest first, behind `after`.
  [[nodiscard]] virtual Result<std::vector<PendingConfirmation>> pending(
      std::string_view consumer, std::int64_t after, std::uint32_t rows_max) = 0;
  // The producer answered; rows that a duplicate reopened with a newer sent_at or epoch stay
  // pending.
  [[nodiscard]] virtual Status confirmed(std::string_view consumer,
                                         std::span<const PendingConfirmation> answered) = 0;
  // A duplicate arrived: its confirmation goes out again, with what the newer copy carried.
  [[nodiscard]] virtual Status reopen(std::string_view consumer, std::string_view message_id,
                                      std::uint32_t epoch, DatabaseTime sent_at) = 0;
  // Refused for good: the inbox row with verdict failed and the parked copy, in one transaction.
  // An existing row with verdict done stays as it is.
  [[nodiscard]] virtual Status park(std::string_view consumer, const ParkedMessage& message,
                                    DatabaseTime sent_at) = 0;
  // Before messages are handled that may have ended the process before: notes them and answers, for
  // each, whether an earlier note of it was never taken back by end_attempts().
  [[nodiscard]] virtual Result<std::vector<bool>> note_attempts(
      std::string_view consumer, std::span<const std::string_view> message_ids) = 0;
  // Before such a message is tried alone: answers how many of these tries began and were never
  // taken back, this one included.
  [[nodiscard]] virtual Result<std::uint32_t> begin_attempt(std::string_view consumer,
                                                            std::string_view message_id) = 0;
  [[nodiscard]] virtual Status end_attempts(std::string_view consumer,
                                            std::span<const std::string_view> message_ids) = 0;
  // What is set aside and was not handled since, oldest first; of every consumer when the name is
  // empty.
  [[nodiscard]] virtual Result<std::vector<ParkedMessage>> parked(std::string_view consumer,
                                                                  std::uint32_t rows_max) = 0;
  // An operator takes a parked message up again: writes waybill_audit and answers with the copy,
  // which the consumer handles anew when it arrives under a newer epoch. Nothing = not parked, or
  // handled since.
  [[nodiscard]] virtual Result<std::optional<ParkedMessage>> take_up(std::string_view consumer,
                                                                     std::string_view message_id,
                                                                     std::string_view operator_name,
                                                                     std::string_view reason) {
    static_cast<void>(consumer);
    static_cast<void>(message_id);
    static_cast<void>(operator_name);
    static_cast<void>(reason);
    return Error{Remedy::fix_call, "this inbox store keeps no audit", "replay at the producer"};
  }
};

// **Thread safety**: may be used from any thread; what it opens may not.
class InboxStore {
 public:
  virtual ~InboxStore() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<InboxSession>> open() = 0;
};

}  // namespace waybill
