#include "waybill/outbox/outbox.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>

#include "base64.hpp"
#include "insert_statement.hpp"
#include "waybill/message_id.hpp"

namespace waybill {
namespace {

constexpr std::size_t kTableCharsMax = 48;
constexpr std::size_t kContentBytesLimit = std::size_t{1} << 30;
constexpr std::size_t kKeyBytesMax = 256;
constexpr std::size_t kTraceparentBytesMax = 256;

Rendered refuse(AddResult result, std::string text) {
  Rendered refused;
  refused.result = result;
  refused.text = std::move(text);
  return refused;
}

struct Field {
  std::string_view name;
  std::string_view value;
  std::size_t length_max;  // characters of a column, bytes of a header
};

// Empty when all fixed columns hold what they may hold.
Rendered check_columns(const Message& message) {
  for (const Field& field : {Field{"message_type", message.message_type, kMessageTypeCharsMax},
                             Field{"biz_type", message.biz_type, kBizTypeCharsMax},
                             Field{"identifier", message.identifier, kIdentifierCharsMax}}) {
    const std::string name(field.name);
    if (field.value.empty())
      return refuse(AddResult::invalid, name + " is empty (give it a value)");
    if (!is_storable_text(field.value)) {
      return refuse(AddResult::not_text,
                    name + " is not UTF-8 text, or holds NUL (send valid UTF-8)");
    }
    const std::size_t characters = count_characters(field.value);
    if (characters > field.length_max) {
      return refuse(AddResult::invalid, name + " has " + std::to_string(characters) +
                                            " characters (at most " +
                                            std::to_string(field.length_max) + ")");
    }
  }
  return {};
}

Rendered check_headers(const Message& message, bool eight_columns) {
  for (const Field& field : {Field{"key", message.key, kKeyBytesMax},
                             Field{"traceparent", message.traceparent, kTraceparentBytesMax}}) {
    const std::string name(field.name);
    if (field.value.size() > field.length_max) {
      return refuse(AddResult::invalid, name + " has " + std::to_string(field.value.size()) +
                                            " bytes (at most " + std::to_string(field.length_max) +
                                            ")");
    }
    if (!is_storable_text(field.value)) {
      return refuse(AddResult::not_text,
                    name + " is not UTF-8 text, or holds NUL (send valid UTF-8)");
    }
  }
  const bool needed =
      !message.key.empty() || !message.traceparent.empty() || message.content.is_binary();
  if (eight_columns && needed) {
    return refuse(AddResult::invalid,
                  "the message has a key, a traceparent or binary content, and the table has no "
                  "headers column (add the column, or leave them out)");
  }
  return {};
}

Rendered check_content(const Content& content, std::size_t bytes_max) {
  if (!content.is_binary() && !is_storable_text(content.bytes())) {
    return refuse(AddResult::not_text,
                  "content is not UTF-8 text, or holds NUL (use Content::binary for bytes)");
  }
  const std::size_t bytes = content.bytes().size();
  // Compared before it is encoded: a huge content is refused without a copy.
  const std::size_t stored = content.is_binary() ? base64_size(bytes) : bytes;
  if (stored > bytes_max) {
    return refuse(AddResult::too_large,
                  "content has " + std::to_string(stored) + " bytes as stored (at most " +
                      std::to_string(bytes_max) + "; store it elsewhere and send a reference)");
  }
  return {};
}

std::optional<std::string> headers_json(const Message& message) {
  boost::json::object headers;
  if (!message.key.empty()) headers["key"] = message.key;
  if (!message.traceparent.empty()) headers["traceparent"] = message.traceparent;
  if (message.content.is_binary()) headers["content_encoding"] = "base64";
  if (headers.empty()) return std::nullopt;
  return boost::json::serialize(headers);
}

}  // namespace

std::string_view to_string(AddResult result) noexcept {
  switch (result) {
    case AddResult::added:
      return "added";
    case AddResult::duplicate:
      return "duplicate";
    case AddResult::not_in_transaction:
      return "not_in_transaction";
    case AddResult::too_large:
      return "too_large";
    case AddResult::not_text:
      return "not_text";
    case AddResult::invalid:
      return "invalid";
  }
  return "invalid";
}

std::vector<Value> Rendered::values() const {
  std::vector<Value> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? Value(std::string_view(*parameter)) : Value(std::monostate{}));
  }
  return values;
}

Outbox::Outbox(OutboxOptions options) : options_(std::move(options)) {
  const std::string& table = options_.table;
  const bool usable = !table.empty() && table.size() <= kTableCharsMax &&
                      (table[0] < '0' || table[0] > '9') &&
                      std::all_of(table.begin(), table.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                      });
  if (!usable) {
    throw std::invalid_argument("table name '" + table +
                                "' cannot be used (1 to 48 of a-z 0-9 _, no digit first)");
  }
  if (options_.content_bytes_max == 0 || options_.content_bytes_max > kContentBytesLimit) {
    throw std::invalid_argument("content_bytes_max " + std::to_string(options_.content_bytes_max) +
                                " cannot be used (1 byte to 1 GiB)");
  }
  for (const Dialect dialect : {Dialect::sqlite, Dialect::postgres, Dialect::mariadb}) {
    const auto index = static_cast<std::size_t>(dialect);
    statements_[index] = insert_statement(dialect, options_, Guard::none, OnDuplicate::skip);
    guarded_statements_[index] =
        insert_statement(dialect, options_, Guard::in_statement, OnDuplicate::skip);
    failing_statements_[index] =
        insert_statement(dialect, options_, Guard::in_statement, OnDuplicate::fail);
  }
  statement_with_commit_ =
      insert_statement(Dialect::postgres, options_, Guard::none, OnDuplicate::fail);
}

Rendered Outbox::render(Dialect dialect, const Message& message, OnDuplicate on_duplicate) const {
  Rendered rendered = check(message);
  if (rendered.result != AddResult::added) return rendered;
  rendered.sql =
      (on_duplicate == OnDuplicate::skip ? guarded_statements_
                                         : failing_statements_)[static_cast<std::size_t>(dialect)];
  return rendered;
}

const std::string& Outbox::statement(Dialect dialect, TransactionStatus status) const {
  const auto index = static_cast<std::size_t>(dialect);
  return status == TransactionStatus::unknown ? guarded_statements_[index] : statements_[index];
}

Rendered Outbox::check(const Message& message) const {
  if (Rendered checked = check_columns(message); checked.result != AddResult::added) return checked;
  if (Rendered checked = check_headers(message, options_.eight_columns);
      checked.result != AddResult::added) {
    return checked;
  }
  const std::size_t id_bytes =
      MessageId{message.biz_type, message.message_type, message.identifier}.to_string().size();
  if (id_bytes > kMessageIdBytesMax) {
    return refuse(AddResult::too_large, "the message id has " + std::to_string(id_bytes) +
                                            " bytes (at most 768: a non-ASCII byte, "
                                            "'/' and '%' count as three)");
  }
  if (Rendered checked = check_content(message.content, options_.content_bytes_max);
      checked.result != AddResult::added) {
    return checked;
  }
  Rendered rendered;
  rendered.parameters = {message.message_type, message.biz_type, message.identifier,
                         message.content.is_binary() ? encode_base64(message.content.bytes())
                                                     : std::string(message.content.bytes())};
  if (!options_.eight_columns) rendered.parameters.push_back(headers_json(message));
  return rendered;
}

Ticket Outbox::not_inserted(const Calls& calls, const Message& message, bool guarded) const {
  const Value key[] = {std::string_view(message.message_type), std::string_view(message.biz_type),
                       std::string_view(message.identifier)};
  const auto found = calls.select({find_statement(calls.dialect, options_.table, 1), key});
  if (!found.empty()) return duplicate(std::stoll(found.front().front()));
  return guarded ? refused_by_guard(calls) : kept_out();
}

Ticket Outbox::refused(const InsertRefused& refusal, const Calls& calls,
                       const Message& message) const {
  if (refusal.by() == InsertRefused::By::guard) return refused_by_guard(calls);
  return not_inserted(calls, message, false);
}

Ticket Outbox::not_open(TransactionStatus status) {
  return {AddResult::not_in_transaction, 0, 0,
          status == TransactionStatus::failed
              ? "the transaction has failed and can only be rolled back; nothing was written "
                "(roll back and start again)"
              : "the connection has no open transaction; nothing was written (BEGIN first, or use "
                "TransactionTemplate)"};
}

Ticket Outbox::foreign_connection() {
  return {AddResult::not_in_transaction, 0, 0,
          "this thread is inside a TransactionTemplate of another connection; nothing was written "
          "(add through the template's transaction)"};
}

Ticket Outbox::ended_silently(TransactionStatus status, std::string_view cause) {
  std::string text =
      status == TransactionStatus::failed
          ? "the INSERT made the transaction fail; nothing of it will commit (roll back and start "
            "again)"
          : "the database ended the transaction during the INSERT and rolled it back (do not go on "
            "with it: start again from BEGIN)";
  if (!cause.empty()) text += ": " + std::string(cause);
  return {AddResult::not_in_transaction, 0, 0, std::move(text)};
}

Ticket Outbox::refused_by_guard(const Calls& calls) {
  const std::string text =
      calls.dialect == Dialect::mariadb
          ? calls.select({kMariadbRefusal, {}}).at(0).at(0)
          : "the statement's own guard saw no open transaction; nothing was written (BEGIN first, "
            "and write the business row before the message)";
  return {AddResult::not_in_transaction, 0, 0, text};
}

Ticket Outbox::kept_out() {
  return {AddResult::invalid, 0, 0,
          "another constraint or a trigger of the table kept the message out; nothing was "
          "written (only biz_type, message_type, identifier may be unique together)"};
}

Ticket Outbox::duplicate(std::int64_t id) {
  return {AddResult::duplicate, id, 0,
          "a message with this id is in the table already; nothing was written (it is the same "
          "request again, or the identifier is not unique)"};
}

}  // namespace waybill
