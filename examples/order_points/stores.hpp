// The one place where the example's services tell databases apart: which of waybill's stores goes
// with a handle. apply_schema, open_message_store and open_inbox_store follow from the options.
#pragma once

#include <string>

#include "database.hpp"
#include "waybill/drivers/sqlite_busy_handler.hpp"
#include "waybill/stores/mariadb.hpp"
#include "waybill/stores/postgres.hpp"
#include "waybill/stores/sqlite.hpp"

namespace order_points {

template <class Handle>
[[nodiscard]] auto store_options_of(const std::string& address) {
  if constexpr (std::is_same_v<Handle, sqlite3*>) {
    return waybill::sqlite::Options{.path = address};
  } else if constexpr (std::is_same_v<Handle, MYSQL*>) {
    return waybill::mariadb::Options{.url = address};
  } else {
    return waybill::postgres::Options{.url = address};
  }
}

// Waits its turn beside the relay, which writes to the same file.
inline void prepare_for_waybill(sqlite3* database) {
  waybill::sqlite::install_busy_handler(database, waybill::Millis(5000));
}
inline void prepare_for_waybill(PGconn*) {}
inline void prepare_for_waybill(MYSQL*) {}

}  // namespace order_points
