// Changes message rows: the one place that turns a Mark into statements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "connection.hpp"
#include "waybill/message_store.hpp"

namespace waybill::sqlite {

// Applies one mark inside the caller's write transaction. With a lease, the fence is part of the
// UPDATE.
[[nodiscard]] Marked apply(Connection& connection, const Mark& mark, const Lease* lease);

struct RowState {
  std::string state;
  std::uint32_t epoch = 0;
};
[[nodiscard]] std::optional<RowState> read_state(Connection& connection, std::int64_t id);

}  // namespace waybill::sqlite
