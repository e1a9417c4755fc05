#include "row_writer.hpp"

#include "rows.hpp"
#include "sql.hpp"
#include "waybill/test_points.hpp"

namespace waybill::sqlite {
namespace {

// What an arrow writes into the delivery table.
struct DeliveryChange {
  bool accepted = false;
  int sends = 0;
  int refusals = 0;
  int epochs = 0;
  bool fresh_refusals = false;
};

DeliveryChange delivery_change(Cause cause) {
  switch (cause) {
    case Cause::acked:
    case Cause::acked_unconfirmed:
      return {true, 1, 0, 0, false};
    case Cause::refused:
    case Cause::refused_for_good:
      return {false, 1, 1, 0, false};
    case Cause::replay:
      return {false, 0, 0, 1, true};
    default:
      return {};
  }
}

// The happy path, INIT → SENT or SUCCESS and SENT → SUCCESS, writes no side table.
bool is_happy(const Mark& mark, MessageState to) {
  return (mark.from == MessageState::INIT && to == MessageState::SENT) ||
         (to == MessageState::SUCCESS &&
          (mark.from == MessageState::INIT || mark.from == MessageState::SENT));
}

bool has_delivery_epoch(MessageState from) {
  return from != MessageState::INIT && from != MessageState::SENT;
}

void write_delivery(Connection& connection, const Mark& mark, MessageState to) {
  const DeliveryChange change = delivery_change(mark.cause);
  const std::string due = modifier(mark.due_in);
  const std::string_view reason = cut_text(mark.reason, kReasonBytesMax);
  Query query = connection.query(sql::kDelivery);
  query.bind(mark.id);
  if (to == MessageState::RETRY) {
    query.bind(due);
  } else {
    query.bind_null();
  }
  query.bind(std::int64_t{change.accepted}).bind(std::int64_t{change.sends});
  query.bind(std::int64_t{change.refusals}).bind(std::int64_t{change.epochs});
  if (reason.empty()) {
    query.bind_null();
  } else {
    query.bind(reason);
  }
  query.bind(std::int64_t{change.fresh_refusals}).run();
}

bool fence_holds(Connection& connection, const Lease* lease) {
  if (lease == nullptr) return true;
  const LeaseView now = read_lease(connection);
  return now.fence == lease->fence && !now.holder.empty();
}

// True if the row was in the mark's state and changed.
bool write_state(Connection& connection, const Mark& mark, MessageState to, const Lease* lease) {
  Query query = connection.query(lease != nullptr ? sql::kJudge : sql::kMark);
  query.bind(mark.id).bind(to_string(to)).bind(to_string(mark.from));
  if (lease != nullptr) query.bind(static_cast<std::int64_t>(lease->fence));
  return query.run() == 1;
}

}  // namespace

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

void check_arrows(std::span<const Mark> marks) {
  for (const Mark& mark : marks) {
    if (next_state(mark.from, mark.cause)) continue;
    throw Failure{{Remedy::fix_call,
                   "no row goes from " + std::string(to_string(mark.from)) + " by '" +
                       std::string(to_string(mark.cause)) + "'",
                   "the legal changes are in waybill/message_state.hpp"}};
  }
}

std::optional<RowState> read_state(Connection& connection, std::int64_t id) {
  Query query = connection.query(sql::kRowState);
  if (!query.bind(id).step()) return std::nullopt;
  return RowState{query.text(0), static_cast<std::uint32_t>(query.number(1))};
}

Marked apply(Connection& connection, const Mark& mark, const Lease* lease) {
  const MessageState to = *next_state(mark.from, mark.cause);
  const bool happy = is_happy(mark, to);
  if (!happy || has_delivery_epoch(mark.from)) {
    // The delivery row is written from the state before, so this looks first; the UPDATE compares
    // again.
    const auto now = read_state(connection, mark.id);
    if (!now) return Marked::gone;
    if (now->state != to_string(mark.from) || now->epoch != mark.epoch ||
        !fence_holds(connection, lease)) {
      return Marked::already_further;
    }
    write_delivery(connection, mark, to);
  }
  WAYBILL_TEST_POINT("store.inside_mark");
  if (write_state(connection, mark, to, lease)) return Marked::done;
  if (!happy) {
    throw Failure{{Remedy::retry,
                   "row " + std::to_string(mark.id) + " changed inside a write transaction",
                   {}}};
  }
  return read_state(connection, mark.id) ? Marked::already_further : Marked::gone;
}

}  // namespace waybill::sqlite
