// What every store decides in the same way, apart from its SQL: which rows cannot be published,
// what an arrow writes beside the state, and what a batch of confirmations changes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/confirmation.hpp"
#include "waybill/failure.hpp"
#include "waybill/message_id.hpp"
#include "waybill/message_store.hpp"

namespace waybill::store {

inline constexpr std::size_t kReasonBytesMax = 512;
inline constexpr std::uint32_t kListRowsMax = 1000;

// The longest prefix of at most `bytes_max` bytes that ends at a character.
[[nodiscard]] std::string_view cut_text(std::string_view text, std::size_t bytes_max);

// Throws Failure unless the name is 1…48 of [a-z0-9_] and does not start with a digit.
void check_table_name(std::string_view table);
// The statement with {table} and {headers} filled in; a table without headers has NULL there.
[[nodiscard]] std::string fill_in(std::string_view sql, std::string_view table,
                                  bool has_headers = true);

// Fills key, traceparent and content (decoded as the headers say) of a row as stored, or `defect`
// when it cannot be published. `has_null`: biz_type, identifier or content are NULL, which a table
// that somebody else made may allow.
void decode(MessageRow& row, std::string_view headers, bool has_null);
// Sets state, or unknown_state.
void set_state(MessageRow& row, std::string_view stored);

// A route from its columns. Throws Failure for what only a foreign hand can have written.
[[nodiscard]] Route make_route(std::string message_type, std::string destination,
                               std::string_view consumers, Millis confirm_deadline,
                               std::string_view ordering, std::string_view dispatch,
                               std::int64_t version);
[[nodiscard]] Failure empty_lease_table();
void check_routes(std::span<const Route> routes);

// From the rows that are not final and whose oldest time is known.
void set_oldest_unfinished(StoreStatus& status);

// A row as a clean-up sees it.
struct CleanRow {
  std::int64_t id = 0;
  bool may_go = false;    // final and old enough
  bool is_young = false;  // too young by its creation already
};

// One page of a clean-up: `read_page` gives so many rows in id order, `remove` deletes those of
// these ids that it still may, and says how many.
[[nodiscard]] CleanPage clean(
    const CleanSpec& spec,
    const std::function<std::vector<CleanRow>(std::int64_t rows_max)>& read_page,
    const std::function<std::int64_t(std::span<const std::int64_t> ids)>& remove);

// Throws Failure (fix_call) unless it has 1…kHolderBytesMax bytes.
void check_holder(std::string_view holder);
// Throw Failure (fix_call) for a mark of an arrow that does not exist, or that is not the caller's.
void check_facts(std::span<const Mark> marks);
void check_arrows(std::span<const Mark> marks);
void check_actions(std::span<const Mark> marks);

// What an arrow writes into the delivery table.
struct DeliveryChange {
  bool accepted = false;  // a broker has it since now
  int sends = 0;          // these three are added
  int refusals = 0;
  int epochs = 0;
  bool fresh = false;  // refusals and first acceptance start anew
};
[[nodiscard]] DeliveryChange delivery_change(Cause cause);

// INIT → SENT or SUCCESS and SENT → SUCCESS write no delivery row.
[[nodiscard]] bool is_happy(MessageState from, MessageState to);
// Rows in INIT and SENT have no delivery row and are in epoch 0.
[[nodiscard]] bool has_delivery(MessageState from);

// Marks of one arrow, each row at most once and in id order: what one statement can write.
struct MarkGroup {
  MessageState from;
  Cause cause;
  MessageState to;
  std::vector<std::size_t> marks;  // places in the batch
};
// In an order that keeps the order of each row's marks. The marks must be legal.
[[nodiscard]] std::vector<MarkGroup> group_marks(std::span<const Mark> marks);

// A message row as a confirmation finds it.
struct ConfirmedRow {
  std::int64_t id = 0;
  std::string state;
  std::uint32_t epoch = 0;
};

struct StoredReceipt {
  std::int64_t id = 0;
  std::string consumer;
  std::string verdict;
  std::uint32_t epoch = 0;
  std::string reason;
};

// A row that waits for confirmations, as a page of its lane shows it.
struct WaitingRow {
  std::int64_t id = 0;
  DatabaseTime at;  // its place in the lane
  std::uint32_t epoch = 0;
  bool accepted = false;
};

// Those of the next page of `spec` that wait for nobody, by the same rule as a confirmation. The
// page is read only where a row can be such: without receipts only if no consumer is required.
[[nodiscard]] SettledPage settle(
    const std::vector<Route>& routes, bool has_receipts, const LaneRead& spec,
    const std::function<std::vector<WaitingRow>()>& read_waiting,
    const std::function<std::vector<StoredReceipt>(std::span<const std::int64_t>)>& read_receipts);

// The tables that a batch of confirmations reads and writes, inside one transaction. All members
// throw Failure.
class ConfirmTables {
 public:
  virtual ~ConfirmTables() = default;
  [[nodiscard]] virtual std::vector<Route> routes() = 0;
  // The rows of each id, locked: none, one, or several in a table without uniqueness.
  [[nodiscard]] virtual std::vector<std::vector<ConfirmedRow>> find(
      std::span<const MessageId> ids) = 0;
  [[nodiscard]] virtual std::vector<StoredReceipt> receipts(std::span<const std::int64_t> rows) = 0;
  // By (id, consumer): inserts or replaces.
  virtual void write_receipts(std::span<const StoredReceipt> receipts) = 0;
  // In order; every row is locked, so every mark must take.
  virtual void apply(std::span<const Mark> marks) = 0;
  // Keeps the newest confirmed_sent, and the retention as last announced.
  virtual void note_consumers(std::span<const ConsumerProgress> consumers) = 0;
};

// One result per item, in order.
[[nodiscard]] std::vector<ConfirmResult> confirm(ConfirmTables& tables,
                                                 std::span<const Confirmation> items);

}  // namespace waybill::store
