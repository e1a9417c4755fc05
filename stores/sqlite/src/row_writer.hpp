// Changes message rows: the one place that turns a Mark into statements.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "connection.hpp"
#include "waybill/message_store.hpp"

namespace waybill::sqlite {

inline constexpr std::size_t kReasonBytesMax = 512;

// The longest prefix of at most `bytes_max` bytes that ends at a character.
[[nodiscard]] std::string_view cut_text(std::string_view text, std::size_t bytes_max);

// Throws Failure (fix_call) if a mark names an arrow that does not exist.
void check_arrows(std::span<const Mark> marks);

// Applies one mark inside the caller's write transaction. With a lease, the fence is part of the
// UPDATE.
[[nodiscard]] Marked apply(Connection& connection, const Mark& mark, const Lease* lease);

struct RowState {
  std::string state;
  std::uint32_t epoch = 0;
};
[[nodiscard]] std::optional<RowState> read_state(Connection& connection, std::int64_t id);

}  // namespace waybill::sqlite
