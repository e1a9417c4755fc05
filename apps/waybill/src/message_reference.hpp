// How operators name one message: by row id or by message id.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "waybill/error.hpp"
#include "waybill/message_store.hpp"

namespace waybill::cli {

// The message named by "17" or by "order/order.placed/A-17"; nothing when there is none.
// **Errors**: fix_call when `name` is neither, else the session's.
[[nodiscard]] Result<std::optional<MessageHistory>> find_message(ConsoleSession& session,
                                                                 const std::string& name);

[[nodiscard]] std::string message_id_of(const MessageRow& row);

// The state as stored, also when it is outside the closed set. **Ownership**: points into `row`.
[[nodiscard]] std::string_view state_of(const MessageRow& row);

}  // namespace waybill::cli
