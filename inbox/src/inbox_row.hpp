// The one statement that decides whether a message is new here.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/subscriber.hpp"
#include "waybill/transaction.hpp"

namespace waybill::inbox {

// The insert of a message's inbox row, rendered for one dialect.
// **Ownership**: borrows consumer and delivery. **Thread safety**: a value, but not movable.
class InboxRow {
 public:
  InboxRow(Dialect dialect, std::string_view consumer, const Delivery& delivery);
  InboxRow(const InboxRow&) = delete;
  InboxRow& operator=(const InboxRow&) = delete;

  [[nodiscard]] Statement statement() const noexcept;

  // True if the row is this transaction's, false if the message is a duplicate.
  [[nodiscard]] static bool is_new(Dialect dialect, const Inserted& inserted) noexcept;

 private:
  Dialect dialect_;
  std::string sent_at_;
  std::array<Value, 4> values_;
};

// The inbox rows of several messages as one statement, for PostgreSQL. It affects fewer rows than
// there are messages when some are duplicates. In the order of the ids, so that two consumers with
// the same messages wait for each other instead of locking each other out.
// **Ownership**: borrows consumer; copies of the deliveries what it needs. The ids must differ.
// **Thread safety**: a value, but not movable.
class InboxRows {
 public:
  InboxRows(std::string_view consumer, std::span<const Delivery> deliveries);
  InboxRows(const InboxRows&) = delete;
  InboxRows& operator=(const InboxRows&) = delete;

  [[nodiscard]] Statement statement() const noexcept;

 private:
  std::string ids_;  // array literals
  std::string epochs_;
  std::string sent_;
  std::array<Value, 4> values_;
};

// Counts which of these messages the transaction sees in the inbox.
// **Ownership**: borrows consumer and ids. **Thread safety**: a value, but not movable.
class InboxRowsSeen {
 public:
  InboxRowsSeen(Dialect dialect, std::string_view consumer,
                std::span<const std::string_view> message_ids);
  InboxRowsSeen(const InboxRowsSeen&) = delete;
  InboxRowsSeen& operator=(const InboxRowsSeen&) = delete;

  [[nodiscard]] Statement statement() const noexcept { return {sql_, values_}; }

 private:
  std::string sql_;
  std::vector<Value> values_;
};

// For PostgreSQL: from one to the other a COMMIT fails and takes everything back, because it would
// have to keep the cursor, whose query fails. The second fails in any other transaction.
inline constexpr std::string_view kForbidCommit =
    "DECLARE waybill_batch NO SCROLL CURSOR WITH HOLD FOR"
    " SELECT current_setting('waybill.a_handler_must_leave_the_transaction_alone')";
inline constexpr std::string_view kAllowCommit = "CLOSE waybill_batch";

// "2026-01-31 12:00:00.123456", UTC, on SQLite cut to milliseconds as all its times are; clamped to
// the years 1970…9999, which every database takes.
[[nodiscard]] std::string to_column(Dialect dialect, DatabaseTime time);

// `text` as the database stores it: valid UTF-8 of at most `bytes_max` bytes, cut between
// characters; in text that is no UTF-8, every byte outside printable ASCII becomes '?'.
[[nodiscard]] std::string storable(std::string_view text, std::size_t bytes_max);

// A spelling for an id that is none, so that it can be parked: "malformed:<hash>:<storable start>".
// Never a valid MessageId; bounded; different for different ids.
[[nodiscard]] std::string spell_malformed_id(std::string_view message_id);

}  // namespace waybill::inbox
