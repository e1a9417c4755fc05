// Lets waybill join transactions of libpqxx: any `pqxx::transaction_base`, as `pqxx::work`. Header
// only; link your own libpqxx.
#pragma once

#include <concepts>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "waybill/transaction.hpp"

namespace waybill {

// **Guarantee**: libpqxx does not give away what the server says about the transaction, so the
// guard inside the INSERT asks the server itself: it writes nothing in a pqxx::nontransaction, nor
// after a COMMIT by hand. It knows a transaction by what it has written, so write the business row
// before the message. You begin and end the transaction: there is no TransactionTemplate on it.
// **Errors**: libpqxx's own. **Thread safety**: as the transaction's.
template <std::derived_from<pqxx::transaction_base> Transaction>
struct transaction_adapter<Transaction> {
  static Dialect dialect(Transaction&) noexcept { return Dialect::postgres; }
  static TransactionStatus status(Transaction&) noexcept { return TransactionStatus::unknown; }

  // RETURNING id and transaction, where the statement has it.
  static Inserted insert(Transaction& transaction, const Statement& statement) {
    const pqxx::result result = execute(transaction, statement);
    Inserted inserted;
    inserted.rows = result.affected_rows();
    if (result.empty()) return inserted;
    if (result.columns() > 0) inserted.id = result[0][0].as<std::int64_t>();
    if (result.columns() > 1) inserted.transaction_id = result[0][1].as<std::uint64_t>();
    return inserted;
  }

  static std::vector<TextRow> select(Transaction& transaction, const Statement& statement) {
    std::vector<TextRow> rows;
    for (const pqxx::row& row : execute(transaction, statement)) {
      TextRow& columns = rows.emplace_back();
      for (const pqxx::field& field : row) columns.emplace_back(field.c_str(), field.size());
    }
    return rows;
  }

 private:
  static pqxx::result execute(Transaction& transaction, const Statement& statement) {
    std::vector<std::string> texts;
    texts.reserve(statement.values.size());
    std::vector<const char*> parameters;
    for (const Value& value : statement.values) {
      if (const auto* text = std::get_if<std::string_view>(&value)) {
        parameters.push_back(texts.emplace_back(*text).c_str());
      } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        parameters.push_back(texts.emplace_back(std::to_string(*number)).c_str());
      } else {
        parameters.push_back(nullptr);
      }
    }
    return transaction.exec_params(std::string(statement.sql),
                                   pqxx::prepare::make_dynamic_params(parameters));
  }
};

}  // namespace waybill
