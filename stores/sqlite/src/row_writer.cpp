#include "row_writer.hpp"

#include <optional>
#include <string>

#include "rows.hpp"
#include "sql.hpp"
#include "waybill/stores/rules.hpp"
#include "waybill/test_points.hpp"

namespace waybill::sqlite {
namespace {

void write_delivery(Connection& connection, const Mark& mark, MessageState to) {
  const store::DeliveryChange change = store::delivery_change(mark.cause);
  const std::string due = modifier(mark.due_in);
  const std::string_view reason = store::cut_text(mark.reason, store::kReasonBytesMax);
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
  query.bind(std::int64_t{change.fresh}).run();
}

struct RowState {
  std::string state;
  std::uint32_t epoch = 0;
};

std::optional<RowState> read_state(Connection& connection, std::int64_t id) {
  Query query = connection.query(sql::kRowState);
  if (!query.bind(id).step()) return std::nullopt;
  return RowState{query.text(0), static_cast<std::uint32_t>(query.number(1))};
}

std::string read_now(Connection& connection) {
  Query query = connection.query(sql::kNow);
  query.step();
  return query.text(0);
}

// True if the row was in the mark's state and changed.
bool write_state(Connection& connection, const Mark& mark, MessageState to, const std::string& now,
                 const Lease* lease) {
  Query query = connection.query(lease != nullptr ? sql::kJudge : sql::kMark);
  query.bind(mark.id).bind(to_string(to)).bind(to_string(mark.from)).bind(now);
  if (lease != nullptr) query.bind(static_cast<std::int64_t>(lease->fence)).bind(lease->holder);
  return query.run() == 1;
}

Marked apply_one(Connection& connection, const Mark& mark, const std::string& now,
                 const Lease* lease) {
  const MessageState to = *next_state(mark.from, mark.cause);
  const bool happy = store::is_happy(mark.from, to);
  if (!happy || store::has_delivery(mark.from)) {
    // The delivery row is written from the state before, so this looks first; the UPDATE compares
    // again.
    const auto found = read_state(connection, mark.id);
    if (!found) return Marked::gone;
    if (found->state != to_string(mark.from) || found->epoch != mark.epoch ||
        (lease != nullptr && !is_held(connection, *lease))) {
      return Marked::already_further;
    }
    write_delivery(connection, mark, to);
  }
  WAYBILL_TEST_POINT("store.inside_mark");
  if (write_state(connection, mark, to, now, lease)) return Marked::done;
  if (!happy) {
    throw Failure{{Remedy::retry,
                   "row " + std::to_string(mark.id) + " changed inside a write transaction",
                   {}}};
  }
  return read_state(connection, mark.id) ? Marked::already_further : Marked::gone;
}

}  // namespace

std::vector<Marked> apply(Connection& connection, std::span<const Mark> marks, const Lease* lease) {
  const std::string now = read_now(connection);
  std::vector<Marked> results;
  results.reserve(marks.size());
  for (const Mark& mark : marks) results.push_back(apply_one(connection, mark, now, lease));
  return results;
}

}  // namespace waybill::sqlite
