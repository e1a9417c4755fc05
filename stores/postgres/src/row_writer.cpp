#include "row_writer.hpp"

#include <algorithm>
#include <unordered_set>

#include "sql.hpp"
#include "waybill/stores/rules.hpp"
#include "waybill/test_points.hpp"

namespace waybill::postgres {
namespace {

bool writes_delivery(const store::MarkGroup& group) {
  return !store::is_happy(group.from, group.to) || store::has_delivery(group.from);
}

std::vector<std::int64_t> ids_of(std::span<const Mark> marks) {
  std::vector<std::int64_t> ids;
  ids.reserve(marks.size());
  for (const Mark& mark : marks) ids.push_back(mark.id);
  return ids;
}

Call statement_of(Connection& connection, std::span<const Mark> marks,
                  const store::MarkGroup& group, const Lease* lease) {
  const bool with_delivery = writes_delivery(group);
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> epochs;
  std::vector<std::int64_t> due;
  std::vector<std::string_view> reasons;
  for (const std::size_t place : group.marks) {
    const Mark& mark = marks[place];
    ids.push_back(mark.id);
    if (!with_delivery) continue;
    epochs.push_back(mark.epoch);
    due.push_back(mark.due_in.count());
    reasons.push_back(store::cut_text(mark.reason, store::kReasonBytesMax));
  }
  Parameters parameters = proof(lease != nullptr ? *lease : Lease{});
  parameters.add(std::span<const std::int64_t>(ids));
  if (with_delivery) {
    const store::DeliveryChange change = store::delivery_change(group.cause);
    parameters.add(std::span<const std::int64_t>(epochs));
    parameters.add(std::span<const std::int64_t>(due));
    parameters.add(std::span<const std::string_view>(reasons));
    parameters.add(change.accepted).add(std::int64_t{change.sends});
    parameters.add(std::int64_t{change.refusals}).add(std::int64_t{change.epochs});
    parameters.add(change.fresh);
  }
  const std::string& sql = connection.sql(with_delivery ? sql::kMarkDelivery : sql::kMark,
                                          group.from, group.to, lease != nullptr);
  return {&sql, std::move(parameters)};
}

// Tells the rows that are in another state from those that are not there.
void find_gone(Connection& connection, std::span<const Mark> marks, std::vector<Marked>& results) {
  std::vector<std::int64_t> unchanged;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (results[i] != Marked::done) unchanged.push_back(marks[i].id);
  }
  if (unchanged.empty()) return;
  const Rows rows = connection.read(
      sql::kPresent, std::move(Parameters().add(std::span<const std::int64_t>(unchanged))));
  std::unordered_set<std::int64_t> present;
  for (std::size_t at = 0; at < rows.size(); ++at) present.insert(rows.number(at, 0));
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (results[i] != Marked::done && !present.contains(marks[i].id)) results[i] = Marked::gone;
  }
}

}  // namespace

Parameters proof(const Lease& lease) {
  Parameters parameters;
  parameters.add(static_cast<std::int64_t>(lease.fence)).add(std::string_view(lease.holder));
  return parameters;
}

std::optional<std::vector<Marked>> apply(Connection& connection, std::span<const Mark> marks,
                                         const Lease* lease) {
  if (marks.empty() && lease == nullptr) return std::vector<Marked>{};
  const std::vector<store::MarkGroup> groups = store::group_marks(marks);
  std::vector<Call> calls;
  if (lease != nullptr) {
    calls.push_back(connection.call(sql::kHolds, proof(*lease)));
  }
  const bool locks =
      groups.size() > 1 || std::any_of(groups.begin(), groups.end(), writes_delivery);
  if (locks) {
    const std::vector<std::int64_t> ids = ids_of(marks);
    calls.push_back(connection.call(
        sql::kLock, std::move(Parameters().add(std::span<const std::int64_t>(ids)))));
  }
  const std::size_t first = calls.size();
  for (const store::MarkGroup& group : groups) {
    calls.push_back(statement_of(connection, marks, group, lease));
  }
  WAYBILL_TEST_POINT("store.inside_mark");
  const std::vector<Rows> answers = connection.database().write(calls);
  if (lease != nullptr && answers.front().size() == 0) return std::nullopt;

  std::vector<Marked> results(marks.size(), Marked::already_further);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const Rows& changed = answers[first + g];
    if (changed.size() == groups[g].marks.size()) {
      for (const std::size_t place : groups[g].marks) results[place] = Marked::done;
      continue;
    }
    std::unordered_set<std::int64_t> ids;
    for (std::size_t at = 0; at < changed.size(); ++at) ids.insert(changed.number(at, 0));
    for (const std::size_t place : groups[g].marks) {
      if (ids.contains(marks[place].id)) results[place] = Marked::done;
    }
  }
  find_gone(connection, marks, results);
  return results;
}

}  // namespace waybill::postgres
