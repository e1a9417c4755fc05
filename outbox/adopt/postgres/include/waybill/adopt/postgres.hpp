// Lets waybill join transactions of a `PGconn*` that you opened. Header only; link your own libpq.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <charconv>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "waybill/transaction.hpp"

namespace waybill {

// PostgreSQL's own error, with its SQLSTATE (empty when the connection broke).
class PostgresError : public std::runtime_error {
 public:
  PostgresError(const PGconn* connection, const PGresult* result, std::string_view what)
      : std::runtime_error(
            std::string(what) + ": " +
            (result != nullptr ? PQresultErrorMessage(result) : PQerrorMessage(connection))) {
    const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state != nullptr) sqlstate_ = state;
  }

  [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

 private:
  std::string sqlstate_;
};

// **Guarantee**: status() is what the server said with its last answer (PQtransactionStatus), so
// that a transaction which an error has doomed is `failed`: its COMMIT would answer ROLLBACK.
// **Errors**: PostgresError; std::invalid_argument for a null handle; std::logic_error while the
// connection is in pipeline mode or in the middle of a command. commit() answers `unknown` when the
// connection broke before its answer came.
// **Thread safety**: as the handle's.
template <>
struct transaction_adapter<PGconn*> {
  // A prepared INSERT. Its name on the server is used up with the connection.
  struct Kept {
    const PGconn* connection = nullptr;
    int backend = 0;  // PQreset keeps the handle, and ends what was prepared
    std::string sql;
    std::string name;
  };

  static Dialect dialect(PGconn*) noexcept { return Dialect::postgres; }

  static TransactionStatus status(PGconn* connection) {
    switch (PQtransactionStatus(checked(connection))) {
      case PQTRANS_INTRANS:
        return TransactionStatus::open;
      case PQTRANS_INERROR:
        return TransactionStatus::failed;
      case PQTRANS_ACTIVE:
        throw std::logic_error(
            "the PGconn* is in the middle of a command (read its results to the end first)");
      default:
        return TransactionStatus::idle;  // a broken connection has no transaction any more
    }
  }

  static Inserted insert(PGconn* connection, const Statement& statement) {
    const Text text(statement);
    return inserted(connection, PQexecParams(usable(connection), text.sql.c_str(), text.size(),
                                             nullptr, text.values.data(), nullptr, nullptr, 0));
  }

  // A statement that the server forgot (DISCARD ALL, as a pooler says it) dooms the transaction as
  // any error does; the next one prepares it anew.
  static Inserted insert(PGconn* connection, const Statement& statement, Kept& kept) {
    const Text text(statement);
    prepare(connection, text.sql, kept);
    Result answer(PQexecPrepared(connection, kept.name.c_str(), text.size(), text.values.data(),
                                 nullptr, nullptr, 0),
                  &PQclear);
    if (is_forgotten(answer.get())) kept = {};
    return inserted(connection, answer.release());
  }

  // BEGIN and the INSERT in one round trip. When the INSERT fails, the transaction is open and
  // failed, as behind any statement.
  static Inserted begin_and_insert(PGconn* connection, const Statement& statement, Kept& kept) {
    const Text text(statement);
    prepare(connection, text.sql, kept);
    Result answer = begin_and_execute(connection, text, kept);
    if (is_forgotten(answer.get())) {
      rollback(connection);
      kept = {};
      prepare(connection, text.sql, kept);
      answer = begin_and_execute(connection, text, kept);
    }
    return inserted(connection, answer.release());
  }

  static std::vector<TextRow> select(PGconn* connection, const Statement& statement) {
    const Text text(statement);
    const Result result(PQexecParams(usable(connection), text.sql.c_str(), text.size(), nullptr,
                                     text.values.data(), nullptr, nullptr, 0),
                        &PQclear);
    check(connection, result.get(), "a statement of waybill failed");
    std::vector<TextRow> rows;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      TextRow& columns = rows.emplace_back();
      for (int column = 0; column < PQnfields(result.get()); ++column) {
        columns.emplace_back(PQgetvalue(result.get(), row, column),
                             static_cast<std::size_t>(PQgetlength(result.get(), row, column)));
      }
    }
    return rows;
  }

  static void begin(PGconn* connection) { run(connection, "BEGIN"); }

  static CommitAnswer commit(PGconn* connection) {
    const Result result(PQexec(usable(connection), "COMMIT"), &PQclear);
    if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
      // A transaction in which a statement had failed is rolled back, without an error.
      return std::string_view(PQcmdStatus(result.get())) == "COMMIT" ? CommitAnswer::committed
                                                                     : CommitAnswer::rolled_back;
    }
    if (PQstatus(connection) != CONNECTION_OK) return CommitAnswer::unknown;
    throw PostgresError(connection, result.get(), "COMMIT");
  }

  static void rollback(PGconn* connection) {
    if (status(connection) != TransactionStatus::idle) run(connection, "ROLLBACK");
  }

  static void savepoint(PGconn* connection, std::string_view name) {
    run(connection, "SAVEPOINT " + std::string(name));
  }
  static void rollback_to(PGconn* connection, std::string_view name) {
    run(connection, "ROLLBACK TO " + std::string(name));
  }
  static void release(PGconn* connection, std::string_view name) {
    run(connection, "RELEASE " + std::string(name));
  }

 private:
  using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

  // The parameters as libpq takes them: zero-terminated text.
  struct Text {
    explicit Text(const Statement& statement) : sql(statement.sql) {
      texts.reserve(statement.values.size());
      for (const Value& value : statement.values) {
        if (const auto* text = std::get_if<std::string_view>(&value)) {
          values.push_back(texts.emplace_back(*text).c_str());
        } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
          values.push_back(texts.emplace_back(std::to_string(*number)).c_str());
        } else {
          values.push_back(nullptr);
        }
      }
    }
    [[nodiscard]] int size() const { return static_cast<int>(values.size()); }

    std::string sql;
    std::vector<std::string> texts;
    std::vector<const char*> values;
  };

  static PGconn* checked(PGconn* connection) {
    if (connection == nullptr) throw std::invalid_argument("the PGconn* is null (connect first)");
    return connection;
  }

  static PGconn* usable(PGconn* connection) {
    // A connection that broke in the middle of a pipeline says what broke it.
    if (PQpipelineStatus(checked(connection)) != PQ_PIPELINE_OFF &&
        PQstatus(connection) == CONNECTION_OK) {
      throw std::logic_error(
          "the PGconn* is in pipeline mode (leave it with PQexitPipelineMode, or send what "
          "Outbox::render gives yourself)");
    }
    return connection;
  }

  static void check(PGconn* connection, const PGresult* result, std::string_view what) {
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
    throw PostgresError(connection, result, what);
  }

  static void prepare(PGconn* connection, const std::string& sql, Kept& kept) {
    if (kept.connection == usable(connection) && kept.backend == PQbackendPID(connection) &&
        kept.sql == sql) {
      return;
    }
    static std::atomic<unsigned> next{0};
    std::string name = "waybill_" + std::to_string(++next);
    const Result prepared(PQprepare(connection, name.c_str(), sql.c_str(), 0, nullptr), &PQclear);
    check(connection, prepared.get(), "cannot prepare an INSERT of waybill");
    kept = {connection, PQbackendPID(connection), sql, std::move(name)};
  }

  static bool is_forgotten(const PGresult* result) {
    const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != nullptr && std::string_view(state) == "26000";
  }

  // The answer to the INSERT; throws when BEGIN was refused.
  static Result begin_and_execute(PGconn* connection, const Text& text, const Kept& kept) {
    PQenterPipelineMode(connection);
    const bool sent =
        PQsendQueryParams(connection, "BEGIN", 0, nullptr, nullptr, nullptr, nullptr, 0) != 0 &&
        PQsendQueryPrepared(connection, kept.name.c_str(), text.size(), text.values.data(), nullptr,
                            nullptr, 0) != 0 &&
        PQpipelineSync(connection) != 0;
    const Result begun = next_result(connection);
    Result answer = next_result(connection);
    const Result synced(sent ? PQgetResult(connection) : nullptr, &PQclear);
    PQexitPipelineMode(connection);
    check(connection, begun.get(), "BEGIN");
    return answer;
  }

  // In pipeline mode: the result of one statement, behind which the protocol puts a NULL.
  static Result next_result(PGconn* connection) {
    Result result(PQgetResult(connection), &PQclear);
    if (result != nullptr) PQclear(PQgetResult(connection));
    return result;
  }

  static void run(PGconn* connection, const std::string& sql) {
    const Result result(PQexec(usable(connection), sql.c_str()), &PQclear);
    check(connection, result.get(), sql);
  }

  template <class Number>
  static void parse(const PGresult* result, int column, Number& number) {
    if (PQntuples(result) == 0 || PQnfields(result) <= column) return;
    const std::string_view text(PQgetvalue(result, 0, column));
    std::from_chars(text.data(), text.data() + text.size(), number);
  }

  // RETURNING id and transaction, where the statement has it.
  static Inserted inserted(PGconn* connection, PGresult* answer) {
    const Result result(answer, &PQclear);
    check(connection, result.get(), "an INSERT of waybill failed");
    Inserted inserted;
    inserted.rows = static_cast<std::uint64_t>(std::atoll(PQcmdTuples(result.get())));
    parse(result.get(), 0, inserted.id);
    parse(result.get(), 1, inserted.transaction_id);
    return inserted;
  }
};

}  // namespace waybill
