// Between SQLite's columns and waybill's values.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connection.hpp"
#include "waybill/message_store.hpp"
#include "waybill/stores/rules.hpp"

namespace waybill::sqlite {

// 'YYYY-MM-DD HH:MM:SS.mmm' in UTC; an unreadable text is the epoch.
[[nodiscard]] DatabaseTime parse_time(std::string_view text);
// With milliseconds, as every time column; a later fraction is cut.
[[nodiscard]] std::string format_time(DatabaseTime time);
// A modifier of SQLite's date functions.
[[nodiscard]] std::string modifier(Millis offset);

// A row of the columns that every read statement selects. Its content is decoded as its headers
// say; what cannot be published comes back with `defect` and without content.
[[nodiscard]] MessageRow read_row(const Query& query);

[[nodiscard]] std::vector<Route> read_routes(Connection& connection);
[[nodiscard]] LeaseView read_lease(Connection& connection);
[[nodiscard]] bool is_held(Connection& connection, const Lease& lease);
[[nodiscard]] std::vector<store::StoredReceipt> read_receipts(Connection& connection,
                                                              std::span<const std::int64_t> ids);

}  // namespace waybill::sqlite
