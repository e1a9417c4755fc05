// The port to the producer's message table: the relay reads and marks, the endpoint confirms, the
// console looks and acts.
#pragma once

#include <cstddef>
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
#include "waybill/message_state.hpp"
#include "waybill/route.hpp"
#include "waybill/transaction.hpp"

namespace waybill {

// The three sets of rows that may have to be published; each has its own index.
enum class Lane {
  fresh,    // INIT, in id order
  overdue,  // SENT whose confirm deadline passed, by (gmt_modified, id)
  due,      // RETRY whose next attempt came, by (next_attempt_at, id)
};

// A row of an ordered type that holds back the later rows of its key.
struct KeyBlock {
  std::int64_t id = 0;
  std::string key;
  MessageState state = MessageState::RETRY;  // SENT, RETRY, PARKED or DEAD
  std::uint32_t epoch = 0;
  bool accepted = false;  // a broker has had it: what is missing is the confirmation
};

// A place in a lane; `at` counts in the overdue and due lanes only.
struct LaneCursor {
  DatabaseTime at{};
  std::int64_t id = 0;
};

// A read of one type's lane: rows behind `after`, until rows_max or bytes_max is reached (one row
// at least).
struct LaneRead {
  Lane lane = Lane::fresh;
  std::string_view message_type;
  LaneCursor after;
  Millis overdue_after{0};  // overdue lane: only rows whose gmt_modified is older than this
  std::uint32_t rows_max = 1000;
  std::size_t bytes_max = std::size_t{4} << 20;
};

// A row as the relay needs it. A row that cannot be published (undecodable content or headers,
// MessageId too long) comes with `defect` set and without content; the relay declares it DEAD with
// that reason.
struct MessageRow {
  std::int64_t id = 0;
  MessageState state = MessageState::INIT;
  std::string message_type;
  std::string biz_type;
  std::string identifier;
  std::string key;
  std::string traceparent;
  std::string content;  // decoded: as it goes on the wire
  DatabaseTime gmt_create;
  DatabaseTime gmt_modified;
  // From the delivery table; as written here where it has no row.
  DatabaseTime next_attempt_at{};
  std::optional<DatabaseTime> first_accepted_at;
  std::uint32_t sends = 0;
  std::uint32_t refusals = 0;
  std::uint32_t epoch = 0;
  std::string reason;  // why RETRY, PARKED or DEAD
  std::string defect;
  std::string unknown_state;  // consoles only: the state as stored when it is outside the closed
                              // set; `state` says nothing then
};

struct LanePage {
  std::vector<MessageRow> rows;
  bool exhausted = false;  // nothing more behind the last row now
  DatabaseTime now;        // the database's clock at the read
};

// A row that waits for no consumer any more, though it is not marked so.
struct SettledRow {
  std::int64_t id = 0;
  MessageState state = MessageState::SENT;  // SENT or RETRY
  std::uint32_t epoch = 0;
};

struct SettledPage {
  std::vector<SettledRow> rows;
  LaneCursor last;         // behind the rows that were looked at
  bool exhausted = false;  // nothing more behind it now
};

// One change of one row, by compare-and-set on (id, from, epoch).
struct Mark {
  std::int64_t id = 0;
  MessageState from = MessageState::INIT;
  Cause cause = Cause::acked;
  std::uint32_t epoch = 0;
  Millis due_in{0};         // causes that lead to RETRY: next attempt, from the database's now
  std::string_view reason;  // stored with RETRY, PARKED and DEAD; at most 512 bytes, longer is cut
};

enum class Marked {
  done,             // this call changed the row
  already_further,  // the row is in another state or epoch; nothing changed
  gone,             // no such row
};

// The lease row as somebody reads it. A taker watches it stand still on its own steady clock.
struct LeaseView {
  std::uint64_t fence = 0;
  std::uint64_t counter = 0;
  std::string holder;  // empty = free

  friend bool operator==(const LeaseView&, const LeaseView&) = default;
};

// Of a holder's name.
inline constexpr std::size_t kHolderBytesMax = 255;

// Proof of holding a table's lease; `fence` grows at each change of holder. It is held by who has
// both: when a database fails over to a copy that was behind, the same fence is given out twice.
struct Lease {
  std::uint64_t fence = 0;
  std::uint64_t counter = 0;
  std::string holder;
};

// How far a consumer of a type has come: the newest "waybillsent" among the messages it confirmed,
// and how long its inbox remembers.
struct ConsumerProgress {
  std::string message_type;
  std::string consumer;
  DatabaseTime confirmed_sent;
  std::chrono::seconds retention = std::chrono::days(7);
};

// What the relay (and the in-process sender) does with the table. Every call is one short
// transaction of its own.
// **Errors**: `retry` for a busy, unreachable or restarted database (nothing changed), `look` when
// a commit's answer was lost, `fix_call` for a wrong schema or rights.
// **Thread safety**: confined to one thread; run several sessions side by side.
class RelaySession {
 public:
  virtual ~RelaySession() = default;

  [[nodiscard]] virtual Result<std::vector<Route>> routes() = 0;
  // The largest route version; cheap enough for every second.
  [[nodiscard]] virtual Result<std::int64_t> routes_version() = 0;

  // The types that have rows in the lane now (loose index scan, O(types)); the due lane's list
  // includes types with PARKED or DEAD rows, which are in no lane but may hold back a key.
  [[nodiscard]] virtual Result<std::vector<std::string>> types_present(Lane lane) = 0;
  [[nodiscard]] virtual Result<LanePage> read(const LaneRead& spec) = 0;
  // The rows of an ordered type that hold back others, in id order, at most rows_max: RETRY, PARKED
  // and DEAD rows that no broker has had; with `confirmed` (ordering = confirmed) all of these and
  // the SENT rows. Rows without a key are left out.
  [[nodiscard]] virtual Result<std::vector<KeyBlock>> key_blocks(std::string_view message_type,
                                                                 bool confirmed,
                                                                 std::uint32_t rows_max) = 0;
  // Looks at the next rows_max rows of the overdue or due lane, their time come or not, for those
  // that are to be marked confirmed: every consumer that the route names now has said done in the
  // row's epoch; where it names none, a broker has had the row. A confirmation marks its row
  // itself, so these are rows that waited for a consumer which was removed.
  [[nodiscard]] virtual Result<SettledPage> settled(const LaneRead& spec) = 0;
  // Every consumer that ever confirmed. Nothing = this store keeps no such record; unconfirmed
  // messages are then sent again at a low, fixed pace.
  [[nodiscard]] virtual Result<std::optional<std::vector<ConsumerProgress>>> consumer_progress() {
    return std::optional<std::vector<ConsumerProgress>>();
  }

  // Facts: compare-and-set by row id, no fence. Results in the order of `marks`. A judgement here
  // is refused (fix_call).
  [[nodiscard]] virtual Result<std::vector<Marked>> mark(std::span<const Mark> marks) = 0;
  // Judgements: the fence is part of each UPDATE. Nothing = the lease is somebody else's; nothing
  // changed.
  [[nodiscard]] virtual Result<std::optional<std::vector<Marked>>> judge(
      const Lease& lease, std::span<const Mark> marks) = 0;

  [[nodiscard]] virtual Result<LeaseView> lease() = 0;
  // Takes the lease if it still is as `seen`: fence + 1, counter 0. Nothing = somebody was faster.
  // `holder` is a text of 1…255 bytes that nobody else ever takes a lease with, fix_call otherwise.
  [[nodiscard]] virtual Result<std::optional<Lease>> take(const LeaseView& seen,
                                                          std::string_view holder) = 0;
  // Counts up. Nothing = lost.
  [[nodiscard]] virtual Result<std::optional<Lease>> renew(const Lease& lease) = 0;
  // Frees the lease at once for the next taker; harmless when it is already somebody else's.
  [[nodiscard]] virtual Status release(const Lease& lease) = 0;
};

// Writes confirmations: row lock, receipt, judgement of the set, all items in one transaction.
// **Errors** and **Thread safety**: as RelaySession.
class ConfirmSession {
 public:
  virtual ~ConfirmSession() = default;
  // One result per item, in order. The caller has authenticated the consumer already.
  [[nodiscard]] virtual Result<std::vector<ConfirmResult>> confirm(
      std::span<const Confirmation> items) = 0;
};

// What an operator asks for. Empty members do not restrict.
struct MessageFilter {
  std::optional<std::int64_t> id;
  std::string identifier;
  std::string message_type;
  std::string biz_type;
  std::string state;                  // as stored; may be outside the closed set
  std::string destination;            // of the type's route, that of "*" included
  std::optional<DatabaseTime> since;  // gmt_create at or after
  std::optional<DatabaseTime> until;  // gmt_create before
  std::int64_t after_id = 0;          // keyset paging
  std::uint32_t rows_max = 100;       // 1…1000
};

struct StateCount {
  std::string state;  // as stored; may be outside the closed set
  std::int64_t rows = 0;
  DatabaseTime oldest{};       // the smallest gmt_create
  std::int64_t untouched = 0;  // rows whose last change is more than 7 days back
};

struct Receipt {
  std::string consumer;
  Verdict verdict = Verdict::done;
  std::uint32_t epoch = 0;
  std::string reason;
  DatabaseTime gmt_create;
};

// What an operator did to a row.
struct AuditEntry {
  DatabaseTime gmt_create;
  std::string operator_name;
  std::string action;        // cancelled, resend or replay
  std::string state_before;  // as stored
  std::string reason;
};

struct MessageHistory {
  MessageRow row;
  std::vector<Receipt> receipts;  // by consumer
  std::vector<AuditEntry> audit;  // oldest first
};

struct StoreStatus {
  DatabaseTime now;                // the database's clock
  std::vector<StateCount> counts;  // every state that has rows
  std::optional<Millis> oldest_unfinished_age;
  std::int64_t retry_due = 0;  // RETRY rows whose next attempt came
  LeaseView lease;
  std::vector<ConsumerProgress> consumers;  // everyone who ever confirmed
  std::int64_t schema_version = 0;
};

// Trouble that an operator should know of.
struct StoreFinding {
  std::string name;  // snake_case, stable: scripts compare it
  bool severe = false;
  std::string text;     // what was found
  std::string meaning;  // what comes of it
  std::string remedy;   // what to do
};

// One page of a sweep that deletes final rows: SUCCESS and CANCELLED.
struct CleanSpec {
  Millis older_than = std::chrono::days(7);  // since their last change, by the database's clock
  std::int64_t after_id = 0;                 // the page begins behind this row
  std::uint32_t rows_max = 500;              // rows looked at, 1…1000
  bool dry_run = false;
};

struct CleanPage {
  std::int64_t looked_at = 0;
  std::int64_t deleted = 0;  // with dry_run: would be
  std::int64_t last_id = 0;  // of the page; where the next one begins
  bool exhausted = false;    // no row behind it was created that long ago
};

// What operators do. **Errors** and **Thread safety**: as RelaySession.
class ConsoleSession {
 public:
  virtual ~ConsoleSession() = default;
  // Reads the whole table.
  [[nodiscard]] virtual Result<StoreStatus> status() = 0;
  // The lease alone; cheap enough for several times a second.
  [[nodiscard]] virtual Result<LeaseView> lease() = 0;
  // The database's clock.
  [[nodiscard]] virtual Result<DatabaseTime> now() = 0;
  // What only this kind of database can tell, like a grown WAL.
  [[nodiscard]] virtual Result<std::vector<StoreFinding>> inspect() = 0;

  // In id order, without content (and without the defects that only content shows).
  [[nodiscard]] virtual Result<std::vector<MessageRow>> list(const MessageFilter& filter) = 0;
  [[nodiscard]] virtual Result<std::optional<MessageHistory>> show(std::int64_t id) = 0;

  [[nodiscard]] virtual Result<std::vector<Route>> routes() = 0;
  // Writes the routes in one transaction with one new version each; types not named stay.
  [[nodiscard]] virtual Status set_routes(std::span<const Route> routes) = 0;

  // cancelled | resend | replay, by compare-and-set on the state and epoch given in `marks`; writes
  // waybill_audit for each row that changed, in the same transaction.
  [[nodiscard]] virtual Result<std::vector<Marked>> act(std::span<const Mark> marks,
                                                        std::string_view operator_name) = 0;

  // Deletes those of the next rows in id order that are final and old enough, with their delivery
  // and receipt rows, in one transaction that waits for no other: a row that somebody has locked
  // stays. What waybill_audit says of them stays, too.
  [[nodiscard]] virtual Result<CleanPage> clean(const CleanSpec& spec) = 0;
};

// One message table in one database.
// **Thread safety**: may be used from any thread; what it opens may not.
class MessageStore {
 public:
  virtual ~MessageStore() = default;
  [[nodiscard]] virtual Dialect dialect() const noexcept = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<RelaySession>> open_relay() = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<ConfirmSession>> open_confirm() = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<ConsoleSession>> open_console() = 0;
};

}  // namespace waybill
