// Changes message rows: the one place that turns Marks into statements.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "connection.hpp"
#include "waybill/message_store.hpp"

namespace waybill::mariadb {

// Fence and holder, the first two parameters of what only the holder may do.
[[nodiscard]] Parameters proof(const Lease& lease);

// Applies the marks in one transaction; results in their order. With a lease the fence is part of
// every UPDATE of a state; nothing = the lease is somebody else's.
[[nodiscard]] std::optional<std::vector<Marked>> apply(Connection& connection,
                                                       std::span<const Mark> marks,
                                                       const Lease* lease);

// The same inside the caller's transaction.
[[nodiscard]] std::vector<Marked> apply_locked(Connection& connection, std::span<const Mark> marks);

// Inside the caller's transaction, on rows that it has locked and looked at: every mark must take.
// Throws Failure otherwise.
void apply_all(Connection& connection, std::span<const Mark> marks);

}  // namespace waybill::mariadb
