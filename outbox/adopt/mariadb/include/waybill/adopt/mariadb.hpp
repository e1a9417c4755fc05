// Lets waybill join transactions of a `MYSQL*` that you opened on MariaDB. Header only; link your
// own libmariadb.
#pragma once

#include <mysql.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/transaction.hpp"

namespace waybill {

// MariaDB's own error, with its number (2000…2999: the client library's, mostly a lost connection).
class MariadbError : public std::runtime_error {
 public:
  MariadbError(unsigned code, std::string_view text, std::string_view what)
      : std::runtime_error(std::string(what) + ": " + std::string(text) +
                           (code == kNoSuchTable ? " (run: waybill schema apply)" : "")),
        code_(code) {}

  [[nodiscard]] unsigned code() const noexcept { return code_; }
  [[nodiscard]] bool is_lost_connection() const noexcept { return code_ >= 2000 && code_ < 3000; }

 private:
  static constexpr unsigned kNoSuchTable = 1146;
  unsigned code_;
};

// **Guarantee**: an error answer of MariaDB does not say whether it ended the transaction (a
// deadlock does), so status() trusts the last answer only when it says that none is open, and else
// is `unknown`: the guard inside the INSERT asks the server. begin() refuses a connection with an
// open transaction, which MariaDB would commit; commit() answers `unknown` when the server had
// ended the transaction before.
// The session needs utf8mb4 and autocommit = 1 (the default): with 0 a statement after a deadlock
// begins a new transaction unasked, and what was lost cannot be noticed. Its sql_mode is free.
// **Errors**: MariadbError; InsertRefused; std::invalid_argument for a null handle;
// std::logic_error for a connection that reconnects on its own, which loses a transaction without a
// word. commit() answers `unknown` when the connection broke before its answer came.
// **Thread safety**: as the handle's.
template <>
struct transaction_adapter<MYSQL*> {
 private:
  struct CloseStatement {
    void operator()(MYSQL_STMT* statement) const noexcept { mysql_stmt_close(statement); }
  };
  using Prepared = std::unique_ptr<MYSQL_STMT, CloseStatement>;

 public:
  // A prepared INSERT; closed with it, so it must go before the connection is closed.
  struct Kept {
    const MYSQL* connection = nullptr;
    unsigned long session = 0;
    std::string sql;
    Prepared statement;
  };

  static Dialect dialect(MYSQL*) noexcept { return Dialect::mariadb; }

  static TransactionStatus status(MYSQL* connection) {
    unsigned flags = 0;
    mariadb_get_infov(usable(connection), MARIADB_CONNECTION_SERVER_STATUS, &flags);
    return (flags & SERVER_STATUS_IN_TRANS) == 0 ? TransactionStatus::idle
                                                 : TransactionStatus::unknown;
  }

  static Inserted insert(MYSQL* connection, const Statement& statement) {
    return inserted(execute_once(connection, statement).get());
  }

  static Inserted insert(MYSQL* connection, const Statement& statement, Kept& kept) {
    const bool is_prepared = kept.connection == usable(connection) &&
                             kept.session == mysql_thread_id(connection) &&
                             kept.sql == statement.sql;
    if (!is_prepared) prepare(connection, statement, kept);
    Parameters parameters(statement);
    bool done = execute(kept, parameters);
    if (!done && is_prepared && is_forgotten(kept)) {
      prepare(connection, statement, kept);
      done = execute(kept, parameters);
    }
    if (!done) fail(connection, kept.statement.get(), "an INSERT of waybill failed");
    return inserted(kept.statement.get());
  }

  static std::vector<TextRow> select(MYSQL* connection, const Statement& statement) {
    const Prepared prepared = execute_once(connection, statement);
    const unsigned columns = mysql_stmt_field_count(prepared.get());
    if (columns == 0) return {};
    std::vector<unsigned long> lengths(columns);
    std::vector<MYSQL_BIND> binds(columns, MYSQL_BIND{});
    for (unsigned column = 0; column < columns; ++column) {
      binds[column].buffer_type = MYSQL_TYPE_STRING;
      binds[column].length = &lengths[column];
    }
    // An error after the first row comes with the rows.
    if (mysql_stmt_bind_result(prepared.get(), binds.data()) != 0 ||
        mysql_stmt_store_result(prepared.get()) != 0) {
      fail(connection, prepared.get(), "cannot read a row");
    }
    std::vector<TextRow> rows;
    for (;;) {
      // With room for nothing, a row only tells its lengths.
      const int fetched = mysql_stmt_fetch(prepared.get());
      if (fetched == MYSQL_NO_DATA) return rows;
      if (fetched == 1) fail(connection, prepared.get(), "cannot read a row");
      TextRow& row = rows.emplace_back();
      for (unsigned column = 0; column < columns; ++column) {
        row.push_back(text_of(connection, prepared.get(), column, lengths[column]));
      }
    }
  }

  // START TRANSACTION would commit a transaction that is open already.
  static void begin(MYSQL* connection) {
    const MariadbError refused =
        run(connection,
            "SET STATEMENT sql_mode = IF(@@in_transaction, 'waybill: one is open', @@sql_mode)"
            " FOR START TRANSACTION");
    if (refused.code() == kNoSuchMode) {
      throw std::logic_error("the connection already has an open transaction (end it first)");
    }
    if (refused.code() != 0) throw refused;
  }

  static CommitAnswer commit(MYSQL* connection) {
    const MariadbError refused =
        run(connection,
            "SET STATEMENT sql_mode = IF(@@in_transaction, @@sql_mode, 'waybill: none is open')"
            " FOR COMMIT");
    if (refused.is_lost_connection()) return CommitAnswer::unknown;
    switch (refused.code()) {
      case 0:
        return CommitAnswer::committed;
      case 1053:         // the server shuts down
      case 1180:         // trouble during COMMIT
      case 1317:         // interrupted
      case kNoSuchMode:  // no transaction is open
      case 1927:         // killed
      case 1969:         // over max_statement_time
        return CommitAnswer::unknown;
      default:
        throw refused;
    }
  }

  static void rollback(MYSQL* connection) {
    if (status(connection) != TransactionStatus::idle) must_run(connection, "ROLLBACK");
  }

  static void savepoint(MYSQL* connection, std::string_view name) {
    must_run(connection, "SAVEPOINT " + std::string(name));
  }
  static void rollback_to(MYSQL* connection, std::string_view name) {
    must_run(connection, "ROLLBACK TO " + std::string(name));
  }
  static void release(MYSQL* connection, std::string_view name) {
    must_run(connection, "RELEASE SAVEPOINT " + std::string(name));
  }

 private:
  // What a guard refuses with: a value that sql_mode does not have.
  static constexpr unsigned kNoSuchMode = 1231;

  // The parameters as libmariadb takes them. **Ownership**: borrows the texts.
  struct Parameters {
    explicit Parameters(const Statement& statement)
        : numbers(statement.values.size()), binds(statement.values.size(), MYSQL_BIND{}) {
      for (std::size_t i = 0; i < statement.values.size(); ++i) {
        MYSQL_BIND& bind = binds[i];
        if (const auto* text = std::get_if<std::string_view>(&statement.values[i])) {
          bind.buffer_type = MYSQL_TYPE_STRING;
          bind.buffer = const_cast<char*>(text->empty() ? "" : text->data());
          bind.buffer_length = text->size();
        } else if (const auto* number = std::get_if<std::int64_t>(&statement.values[i])) {
          numbers[i] = *number;
          bind.buffer_type = MYSQL_TYPE_LONGLONG;
          bind.buffer = &numbers[i];
        } else {
          bind.buffer_type = MYSQL_TYPE_NULL;
        }
      }
    }

    std::vector<std::int64_t> numbers;
    std::vector<MYSQL_BIND> binds;
  };

  static MYSQL* usable(MYSQL* connection) {
    if (connection == nullptr) throw std::invalid_argument("the MYSQL* is null (connect first)");
    my_bool reconnects = 0;
    mysql_get_option(connection, MYSQL_OPT_RECONNECT, &reconnects);
    if (reconnects != 0) {
      throw std::logic_error(
          "the MYSQL* reconnects on its own, which loses its transaction without a word (switch "
          "MYSQL_OPT_RECONNECT off)");
    }
    return connection;
  }

  static Prepared initialized(MYSQL* connection) {
    Prepared prepared(mysql_stmt_init(usable(connection)));
    if (!prepared) throw MariadbError(mysql_errno(connection), mysql_error(connection), "prepare");
    return prepared;
  }

  static void prepare(MYSQL* connection, const Statement& statement, Kept& kept) {
    Prepared prepared = initialized(connection);
    if (mysql_stmt_prepare(prepared.get(), statement.sql.data(), statement.sql.size()) != 0) {
      fail(connection, prepared.get(), "cannot prepare the INSERT of the outbox");
    }
    kept = {connection, mysql_thread_id(connection), std::string(statement.sql),
            std::move(prepared)};
  }

  static bool execute(const Kept& kept, Parameters& parameters) {
    MYSQL_STMT* const prepared = kept.statement.get();
    return mysql_stmt_bind_param(prepared, parameters.binds.data()) == 0 &&
           mysql_stmt_execute(prepared) == 0;
  }

  // The server knows it no more, and has executed nothing: a reset of the session ends what was
  // prepared, and after a restart a new session may have the old one's number.
  static bool is_forgotten(const Kept& kept) {
    constexpr unsigned kUnknownStatement = 1243, kNotPrepared = 2030;
    const unsigned code = mysql_stmt_errno(kept.statement.get());
    return code == kUnknownStatement || code == kNotPrepared ||
           kept.statement->mysql != kept.connection;
  }

  // Prepared and executed in one round trip.
  static Prepared execute_once(MYSQL* connection, const Statement& statement) {
    Prepared prepared = initialized(connection);
    Parameters parameters(statement);
    auto count = static_cast<unsigned>(statement.values.size());
    const auto bound = [&] {
      return count == 0 ||
             (mysql_stmt_attr_set(prepared.get(), STMT_ATTR_PREBIND_PARAMS, &count) == 0 &&
              mysql_stmt_bind_param(prepared.get(), parameters.binds.data()) == 0);
    };
    if (!bound() || mariadb_stmt_execute_direct(prepared.get(), statement.sql.data(),
                                                statement.sql.size()) != 0) {
      fail(connection, prepared.get(), "a statement of waybill failed");
    }
    return prepared;
  }

  static std::string text_of(MYSQL* connection, MYSQL_STMT* prepared, unsigned column,
                             unsigned long length) {
    std::string text(length, '\0');
    if (length == 0) return text;
    MYSQL_BIND bind{};
    bind.buffer_type = MYSQL_TYPE_STRING;
    bind.buffer = text.data();
    bind.buffer_length = length;
    if (mysql_stmt_fetch_column(prepared, &bind, column, 0) != 0) {
      fail(connection, prepared, "cannot read a column");
    }
    return text;
  }

  static Inserted inserted(MYSQL_STMT* prepared) {
    return {mysql_stmt_affected_rows(prepared),
            static_cast<std::int64_t>(mysql_stmt_insert_id(prepared)), 0};
  }

  [[noreturn]] static void fail(MYSQL* connection, MYSQL_STMT* prepared, std::string_view what) {
    constexpr unsigned kDuplicateKey = 1062;
    const MariadbError error(mysql_stmt_errno(prepared), mysql_stmt_error(prepared), what);
    const std::string text = error.what();
    if (error.code() == kDuplicateKey) throw InsertRefused(InsertRefused::By::unique_key, text);
    if (error.code() == kNoSuchMode && text.find(kGuardText) != text.npos) {
      throw InsertRefused(InsertRefused::By::guard, text);
    }
    // So that status() knows whether the transaction outlived the error.
    if (!error.is_lost_connection()) mysql_query(connection, "DO 0");
    throw error;
  }

  // Code 0: done.
  static MariadbError run(MYSQL* connection, const std::string& sql) {
    if (mysql_real_query(usable(connection), sql.data(), sql.size()) == 0) return {0, "", ""};
    return {mysql_errno(connection), mysql_error(connection), sql};
  }
  static void must_run(MYSQL* connection, const std::string& sql) {
    const MariadbError error = run(connection, sql);
    if (error.code() != 0) throw error;
  }
};

}  // namespace waybill
