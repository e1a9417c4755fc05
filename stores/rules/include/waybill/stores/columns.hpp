// From the columns that the statements of a store on a server select to waybill's values. `Rows` is
// what a driver answers: view, text, number, time and is_null by row and column.
#pragma once

#include <cstdint>
#include <vector>

#include "waybill/inbox_store.hpp"
#include "waybill/message_store.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::store {

// Content is decoded as the headers say; what cannot be published comes back with `defect`.
template <class Rows>
[[nodiscard]] MessageRow read_row(const Rows& rows, std::size_t at) {
  MessageRow row;
  row.id = rows.number(at, 0);
  set_state(row, rows.view(at, 1));
  row.message_type = rows.text(at, 2);
  row.biz_type = rows.text(at, 3);
  row.identifier = rows.text(at, 4);
  row.content = rows.text(at, 5);
  row.gmt_create = rows.time(at, 7);
  row.gmt_modified = rows.time(at, 8);
  row.next_attempt_at = rows.time(at, 9);
  if (!rows.is_null(at, 10)) row.first_accepted_at = rows.time(at, 10);
  row.sends = static_cast<std::uint32_t>(rows.number(at, 11));
  row.refusals = static_cast<std::uint32_t>(rows.number(at, 12));
  row.epoch = static_cast<std::uint32_t>(rows.number(at, 13));
  row.reason = rows.text(at, 14);
  decode(row, rows.view(at, 6), rows.is_null(at, 3) || rows.is_null(at, 4) || rows.is_null(at, 5));
  return row;
}

template <class Rows>
[[nodiscard]] std::vector<MessageRow> read_rows(const Rows& rows) {
  std::vector<MessageRow> all;
  for (std::size_t at = 0; at < rows.size(); ++at) all.push_back(read_row(rows, at));
  return all;
}

// The first column.
template <class Rows>
[[nodiscard]] std::vector<std::string> read_texts(const Rows& rows) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < rows.size(); ++at) texts.push_back(rows.text(at, 0));
  return texts;
}

// The first column.
template <class Rows>
[[nodiscard]] std::vector<std::int64_t> read_ids(const Rows& rows) {
  std::vector<std::int64_t> ids;
  for (std::size_t at = 0; at < rows.size(); ++at) ids.push_back(rows.number(at, 0));
  return ids;
}

template <class Rows>
[[nodiscard]] std::vector<CleanRow> read_clean_rows(const Rows& rows) {
  std::vector<CleanRow> all;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    all.push_back({rows.number(at, 0), rows.number(at, 1) != 0, rows.number(at, 2) != 0});
  }
  return all;
}

// Throws Failure for a route that only a foreign hand can have written.
template <class Rows>
[[nodiscard]] std::vector<Route> read_routes(const Rows& rows) {
  std::vector<Route> routes;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    routes.push_back(make_route(rows.text(at, 0), rows.text(at, 1), rows.view(at, 2),
                                Millis(rows.number(at, 3)), rows.view(at, 4), rows.view(at, 5),
                                rows.number(at, 6)));
  }
  return routes;
}

// Throws Failure when somebody emptied the table.
template <class Rows>
[[nodiscard]] LeaseView read_lease(const Rows& rows) {
  if (rows.size() == 0) throw empty_lease_table();
  return {static_cast<std::uint64_t>(rows.number(0, 0)),
          static_cast<std::uint64_t>(rows.number(0, 1)), rows.text(0, 2)};
}

template <class Rows>
[[nodiscard]] std::vector<ConsumerProgress> read_consumers(const Rows& rows) {
  std::vector<ConsumerProgress> consumers;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    consumers.push_back({rows.text(at, 0), rows.text(at, 1), rows.time(at, 2),
                         std::chrono::seconds(rows.number(at, 3))});
  }
  return consumers;
}

// A page of rows that wait for confirmations: id, place in the lane, epoch, whether a broker has
// it.
template <class Rows>
[[nodiscard]] std::vector<WaitingRow> read_waiting(const Rows& rows) {
  std::vector<WaitingRow> waiting;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    waiting.push_back({rows.number(at, 0), rows.time(at, 1),
                       static_cast<std::uint32_t>(rows.number(at, 2)), rows.number(at, 3) != 0});
  }
  return waiting;
}

template <class Rows>
[[nodiscard]] std::vector<StoredReceipt> read_receipts(const Rows& rows) {
  std::vector<StoredReceipt> receipts;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    receipts.push_back({rows.number(at, 0), rows.text(at, 1), rows.text(at, 2),
                        static_cast<std::uint32_t>(rows.number(at, 3)), rows.text(at, 4)});
  }
  return receipts;
}

// A state that is none holds back nothing.
template <class Rows>
[[nodiscard]] std::vector<KeyBlock> read_key_blocks(const Rows& rows) {
  std::vector<KeyBlock> blocks;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const auto state = parse_message_state(rows.view(at, 2));
    if (!state) continue;
    blocks.push_back({rows.number(at, 0), rows.text(at, 1), *state,
                      static_cast<std::uint32_t>(rows.number(at, 3)), rows.number(at, 4) != 0});
  }
  return blocks;
}

template <class Rows>
[[nodiscard]] MessageHistory read_history(const Rows& row, const Rows& receipts,
                                          const Rows& audit) {
  MessageHistory history;
  history.row = read_row(row, 0);
  for (std::size_t at = 0; at < receipts.size(); ++at) {
    history.receipts.push_back({receipts.text(at, 1),
                                parse_verdict(receipts.view(at, 2)).value_or(Verdict::failed),
                                static_cast<std::uint32_t>(receipts.number(at, 3)),
                                receipts.text(at, 4), receipts.time(at, 5)});
  }
  for (std::size_t at = 0; at < audit.size(); ++at) {
    history.audit.push_back({audit.time(at, 0), audit.text(at, 1), audit.text(at, 2),
                             audit.text(at, 3), audit.text(at, 4)});
  }
  return history;
}

template <class Rows>
[[nodiscard]] std::vector<PendingConfirmation> read_pending(const Rows& rows) {
  std::vector<PendingConfirmation> pending;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    PendingConfirmation& row = pending.emplace_back();
    row.position = rows.number(at, 0);
    row.message_id = rows.text(at, 1);
    row.epoch = static_cast<std::uint32_t>(rows.number(at, 2));
    row.verdict = parse_verdict(rows.view(at, 3)).value_or(Verdict::done);
    row.reason = rows.text(at, 4);
    row.sent_at = rows.time(at, 5);
    row.gmt_create = rows.time(at, 6);
  }
  return pending;
}

template <class Rows>
[[nodiscard]] std::vector<ParkedMessage> read_parked(const Rows& rows) {
  std::vector<ParkedMessage> parked;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    parked.push_back({rows.text(at, 0), rows.text(at, 1), rows.text(at, 2), rows.text(at, 3),
                      static_cast<std::uint32_t>(rows.number(at, 4)),
                      static_cast<std::uint32_t>(rows.number(at, 5)), rows.time(at, 6),
                      rows.text(at, 7), rows.text(at, 8), rows.text(at, 9)});
  }
  return parked;
}

}  // namespace waybill::store
