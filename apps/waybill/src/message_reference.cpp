#include "message_reference.hpp"

#include <fmt/format.h>

#include "duration.hpp"
#include "output.hpp"
#include "waybill/message_id.hpp"

namespace waybill::cli {

Result<std::optional<MessageHistory>> find_message(ConsoleSession& session,
                                                   const std::string& name) {
  if (const Result<std::int64_t> id = parse_integer(name); id) return session.show(*id);
  const Result<MessageId> message_id = MessageId::parse(name);
  if (!message_id) {
    return Error{Remedy::fix_call,
                 fmt::format("'{}' names no message: {}", printable(name), message_id.error().text),
                 "give a row id like 17 or a message id like order/order.placed/A-17"};
  }
  MessageFilter filter;
  filter.biz_type = message_id->biz_type;
  filter.message_type = message_id->message_type;
  filter.identifier = message_id->identifier;
  filter.rows_max = 2;
  const Result<std::vector<MessageRow>> rows = session.list(filter);
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<MessageHistory>();
  if (rows->size() > 1) {
    // Only a table without our unique constraint can hold two.
    return Error{Remedy::fix_call, fmt::format("'{}' names more than one row", printable(name)),
                 "give the row id, as waybill messages list shows it"};
  }
  return session.show(rows->front().id);
}

std::string message_id_of(const MessageRow& row) {
  return MessageId{row.biz_type, row.message_type, row.identifier}.to_string();
}

std::string_view state_of(const MessageRow& row) {
  return row.unknown_state.empty() ? to_string(row.state) : std::string_view(row.unknown_state);
}

}  // namespace waybill::cli
