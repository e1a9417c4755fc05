// Between MariaDB's columns and waybill's values.
#pragma once

#include <vector>

#include "connection.hpp"
#include "waybill/message_store.hpp"

namespace waybill::mariadb {

// A row of the columns that every read statement selects.
[[nodiscard]] MessageRow read_row(const Rows& rows, std::size_t at);

[[nodiscard]] std::vector<Route> read_routes(Connection& connection);
[[nodiscard]] LeaseView read_lease(Connection& connection);
[[nodiscard]] std::vector<ConsumerProgress> read_consumers(Connection& connection);

}  // namespace waybill::mariadb
