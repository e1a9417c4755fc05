// Changes message rows: the one place that turns Marks into statements.
#pragma once

#include <span>
#include <vector>

#include "connection.hpp"
#include "waybill/message_store.hpp"

namespace waybill::sqlite {

// Applies the marks inside the caller's write transaction; results in their order. With a lease,
// the fence is part of every UPDATE.
[[nodiscard]] std::vector<Marked> apply(Connection& connection, std::span<const Mark> marks,
                                        const Lease* lease);

}  // namespace waybill::sqlite
