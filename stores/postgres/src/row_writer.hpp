// Changes message rows: the one place that turns Marks into statements.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "connection.hpp"
#include "waybill/message_store.hpp"

namespace waybill::postgres {

// Fence and holder, the first two parameters of what only the holder may do.
[[nodiscard]] Parameters proof(const Lease& lease);

// Applies the marks in one transaction, or inside the caller's; results in their order. With a
// lease the fence is part of every UPDATE; nothing = the lease is somebody else's.
[[nodiscard]] std::optional<std::vector<Marked>> apply(Connection& connection,
                                                       std::span<const Mark> marks,
                                                       const Lease* lease);

}  // namespace waybill::postgres
