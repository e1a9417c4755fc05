#include "row_writer.hpp"

#include <algorithm>
#include <unordered_map>

#include "json_rows.hpp"
#include "sql.hpp"
#include "waybill/stores/rules.hpp"
#include "waybill/test_points.hpp"

namespace waybill::mariadb {
namespace {

// Of one statement; the optimizer makes ranges of so many, not of any number.
constexpr std::size_t kIdsMax = 1000;

// A state UPDATE that changed fewer rows than it named. Never leaves this file.
struct NotAll {};

bool writes_delivery(const store::MarkGroup& group) {
  return !store::is_happy(group.from, group.to) || store::has_delivery(group.from);
}

void write_delivery(Connection& connection, std::span<const Mark> marks,
                    const store::MarkGroup& group) {
  JsonRows rows;
  for (const std::size_t place : group.marks) {
    const Mark& mark = marks[place];
    rows.row().add(mark.id).add(std::int64_t{mark.due_in.count()});
    rows.add(store::cut_text(mark.reason, store::kReasonBytesMax));
  }
  static_cast<void>(
      connection.database().write(connection.sql(sql::kDelivery, group.from, group.cause, false),
                                  Parameters().add(std::string_view(rows.text()))));
}

void fill_in(std::string& text, std::string_view name, std::string_view value) {
  if (const std::size_t at = text.rfind(name); at != text.npos) {
    text.replace(at, name.size(), value);
  }
}

// Bytes that no quote can end. The column is compared byte by byte, as by its own collation.
std::string hex_literal(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string literal = "X'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    literal += kDigits[byte >> 4U];
    literal += kDigits[byte & 0xFU];
  }
  return literal + '\'';
}

// Throws NotAll.
void write_states(Connection& connection, const std::string& statement,
                  std::span<const std::int64_t> ids, const Lease* lease) {
  std::string list;
  for (const std::int64_t id : ids) {
    if (!list.empty()) list += ',';
    list += std::to_string(id);
  }
  std::string filled = statement;
  fill_in(filled, "{ids}", list);
  if (lease != nullptr) {
    fill_in(filled, "{holder}", hex_literal(lease->holder));
    fill_in(filled, "{held}", std::to_string(lease->fence));
  }
  WAYBILL_TEST_POINT("store.inside_mark");
  const std::int64_t changed = connection.database().change(filled);
  if (changed != static_cast<std::int64_t>(ids.size())) throw NotAll();
}

// Throws NotAll.
void write_state(Connection& connection, std::span<const Mark> marks, const store::MarkGroup& group,
                 const Lease* lease) {
  std::vector<std::int64_t> ids;
  ids.reserve(group.marks.size());
  for (const std::size_t place : group.marks) ids.push_back(marks[place].id);
  const std::string& statement =
      connection.sql(sql::kMark, group.from, group.cause, lease != nullptr);
  for (std::span<const std::int64_t> left = ids; !left.empty();) {
    const auto part = left.first(std::min(left.size(), kIdsMax));
    write_states(connection, statement, part, lease);
    left = left.subspan(part.size());
  }
}

void write_group(Connection& connection, std::span<const Mark> marks, const store::MarkGroup& group,
                 const Lease* lease) {
  // The delivery row tells what the state was, so it goes first.
  if (writes_delivery(group)) write_delivery(connection, marks, group);
  write_state(connection, marks, group, lease);
}

struct RowState {
  std::string state;
  std::uint32_t epoch = 0;
};

std::unordered_map<std::int64_t, RowState> lock_rows(Connection& connection,
                                                     std::span<const Mark> marks) {
  std::vector<std::int64_t> ids;
  ids.reserve(marks.size());
  for (const Mark& mark : marks) ids.push_back(mark.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const Rows rows =
      connection.write(sql::kLock, Parameters().add(std::string_view(json_list(ids))));
  std::unordered_map<std::int64_t, RowState> states;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    states[rows.number(at, 0)] = {rows.text(at, 1), static_cast<std::uint32_t>(rows.number(at, 2))};
  }
  return states;
}

// Locks the rows, so that who takes is known before anything is written. Throws NotAll when the
// lease went meanwhile.
std::vector<Marked> lock_and_apply(Connection& connection, std::span<const Mark> marks,
                                   const Lease* lease) {
  auto rows = lock_rows(connection, marks);
  std::vector<Marked> results(marks.size(), Marked::already_further);
  for (store::MarkGroup& group : store::group_marks(marks)) {
    std::vector<std::size_t> taking;
    for (const std::size_t place : group.marks) {
      const auto row = rows.find(marks[place].id);
      if (row == rows.end()) {
        results[place] = Marked::gone;
        continue;
      }
      // Rows in INIT and SENT have no epoch to compare.
      if (row->second.state != to_string(group.from)) continue;
      if (writes_delivery(group) && row->second.epoch != marks[place].epoch) continue;
      row->second.state = to_string(group.to);
      row->second.epoch += static_cast<std::uint32_t>(store::delivery_change(group.cause).epochs);
      results[place] = Marked::done;
      taking.push_back(place);
    }
    group.marks = std::move(taking);
    if (!group.marks.empty()) write_group(connection, marks, group, lease);
  }
  return results;
}

// The plain case: one arrow that writes no side table, every row as the caller saw it. Nothing =
// some row was not; nothing was changed then.
std::optional<std::vector<Marked>> apply_plainly(Connection& connection,
                                                 std::span<const Mark> marks) {
  const std::vector<store::MarkGroup> groups = store::group_marks(marks);
  if (groups.size() != 1 || writes_delivery(groups.front())) return std::nullopt;
  try {
    connection.database().transaction(
        [&] { write_state(connection, marks, groups.front(), nullptr); });
  } catch (const NotAll&) {
    return std::nullopt;
  }
  return std::vector<Marked>(marks.size(), Marked::done);
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
  if (lease == nullptr) {
    if (auto results = apply_plainly(connection, marks)) return results;
    return connection.database().transaction(
        [&] { return lock_and_apply(connection, marks, nullptr); });
  }
  try {
    return connection.database().transaction([&]() -> std::optional<std::vector<Marked>> {
      if (connection.read(sql::kHolds, proof(*lease)).size() == 0) return std::nullopt;
      return lock_and_apply(connection, marks, lease);
    });
  } catch (const NotAll&) {
    return std::nullopt;
  }
}

std::vector<Marked> apply_locked(Connection& connection, std::span<const Mark> marks) {
  return lock_and_apply(connection, marks, nullptr);
}

void apply_all(Connection& connection, std::span<const Mark> marks) {
  try {
    for (const store::MarkGroup& group : store::group_marks(marks)) {
      write_group(connection, marks, group, nullptr);
    }
  } catch (const NotAll&) {
    throw Failure{{Remedy::retry, "a row changed under its lock", {}}};
  }
}

}  // namespace waybill::mariadb
