// Lets waybill join transactions of a `PGconn*` that you opened. Header only; link your own libpq.
#pragma once

#include <libpq-fe.h>
#include <sys/socket.h>

#include <atomic>
#include <charconv>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waybill/transaction.hpp"

namespace waybill {

// PostgreSQL's own error, with its SQLSTATE (empty when the connection broke).
class PostgresError : public std::runtime_error {
 public:
  PostgresError(const PGconn* connection, const PGresult* result, std::string_view what)
      : std::runtime_error(std::string(what) + ": " +
                           first_line(result != nullptr ? PQresultErrorMessage(result)
                                                        : PQerrorMessage(connection)) +
                           (sqlstate_of(result) == "42P01" ? " (run: waybill schema apply)" : "")),
        sqlstate_(sqlstate_of(result)) {}

  [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

  // Empty for null and for an answer that is no error.
  static std::string_view sqlstate_of(const PGresult* result) {
    const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state == nullptr ? "" : state;
  }

 private:
  // What follows may quote the row.
  static std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
  }

  std::string sqlstate_;
};

// **Guarantee**: status() is what the server said with its last answer (PQtransactionStatus), so
// that a transaction which an error has doomed is `failed`: its COMMIT would answer ROLLBACK.
// **Errors**: PostgresError; std::invalid_argument for a null handle; std::logic_error while the
// connection is in pipeline mode or in the middle of a command. commit() answers `unknown` when the
// connection broke before its answer came.
// Behind a pooler that gives a backend to each transaction anew, statements can only be kept when
// it maps their names (PgBouncer 1.21 with max_prepared_statements): they fail there otherwise.
// **Thread safety**: as the handle's.
template <>
struct transaction_adapter<PGconn*> {
  // What is prepared on the connection, by its SQL.
  struct Kept {
    const PGconn* connection = nullptr;
    int backend = 0;  // PQreset keeps the handle, and ends what was prepared
    std::map<std::string, std::string> names;
    std::optional<bool> takes_every_row;
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

  static Inserted insert(PGconn* connection, const Statement& statement, Kept& kept) {
    return inserted(connection, at_once(connection, {&statement, 1}, kept).front().release());
  }

  // BEGIN and the INSERT in one round trip. When the INSERT fails, the transaction is open and
  // failed, as behind any statement; when it cannot be sent, none is open.
  static Inserted begin_and_insert(PGconn* connection, const Statement& statement, Kept& kept) {
    return inserted(connection, begin_and_execute(connection, statement, kept).release());
  }

  // The first time on a connection it also looks at the table.
  static Begun begin_for(PGconn* connection, std::string_view table, Kept& kept) {
    refresh(connection, kept);
    const std::optional<bool> known = kept.takes_every_row;
    const Value name[] = {table};
    const Statement statement =
        !known ? Statement{"SELECT pg_current_xact_id(), relhastriggers OR relhasrules"
                             " FROM (SELECT) AS one LEFT JOIN pg_class ON oid = to_regclass($1)",
                             name}
                 : Statement{"SELECT pg_current_xact_id()", {}};
    const Result answer = begin_and_execute(connection, statement, kept);
    if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) {
      const PostgresError error(connection, answer.get(), "cannot begin a transaction");
      rollback(connection);
      throw error;
    }
    Begun begun;
    begun.takes_every_row =
        known ? *known : std::string_view(PQgetvalue(answer.get(), 0, 1)) == "f";
    kept.takes_every_row = begun.takes_every_row;
    parse(answer.get(), 0, begun.transaction_id);
    return begun;
  }

  // The server answers in order: its own error for an INSERT says that COMMIT was not reached.
  static InsertsCommitted insert_and_commit(PGconn* connection, std::span<const Statement> inserts,
                                            Kept& kept) {
    constexpr std::string_view kUniqueViolation = "23505";
    std::vector<Statement> statements(inserts.begin(), inserts.end());
    statements.push_back({"COMMIT", {}});
    const std::vector<Result> answers = at_once(connection, statements, kept);
    InsertsCommitted done;
    for (std::size_t i = 0; i < inserts.size(); ++i) {
      const PGresult* const answer = answers[i].get();
      if (PQresultStatus(answer) == PGRES_TUPLES_OK) {
        parse(answer, 0, done.ids.emplace_back());
        continue;
      }
      const std::string_view state = PostgresError::sqlstate_of(answer);
      if (state.empty()) return done;  // the connection broke before the answer came
      if (state != kUniqueViolation) check(connection, answer, "an INSERT of waybill failed");
      done.answer = CommitAnswer::rolled_back;
      done.refused = i;
      return done;
    }
    done.answer = commit_answer(connection, answers.back().get());
    return done;
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
    return commit_answer(connection, result.get());
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

  static void refresh(PGconn* connection, Kept& kept) {
    if (kept.connection == usable(connection) && kept.backend == PQbackendPID(connection)) return;
    kept = {connection, PQbackendPID(connection), {}, {}};
  }

  // What is on its way to the server.
  struct Sent {
    std::vector<std::string> prepared;   // for each statement, what goes ahead of it
    std::size_t executed = 0;            // so many of them
    std::optional<PostgresError> error;  // why not all
  };

  static Sent send(PGconn* connection, std::span<const Statement> statements, Kept& kept) {
    Sent sent;
    for (const Statement& statement : statements) {
      const Text text(statement);
      std::string& name = kept.names[text.sql];
      const bool is_new = name.empty();
      if (is_new) name = new_name(text.sql);
      if (is_new && PQsendPrepare(connection, name.c_str(), text.sql.c_str(), 0, nullptr) == 0) {
        sent.error.emplace(connection, nullptr, "cannot prepare a statement");
        kept.names.erase(text.sql);
        break;
      }
      sent.prepared.push_back(is_new ? text.sql : "");
      if (PQsendQueryPrepared(connection, name.c_str(), text.size(), text.values.data(), nullptr,
                              nullptr, 0) == 0) {
        sent.error.emplace(connection, nullptr, "cannot send a statement");
        break;
      }
      ++sent.executed;
    }
    // Without the sync no answer would come.
    if (PQpipelineSync(connection) == 0) ::shutdown(PQsocket(connection), SHUT_RDWR);
    sent.prepared.resize(statements.size());
    return sent;
  }

  // In one round trip; what is new is prepared on the way. One answer for each statement, in order,
  // null where none came. Throws for what cannot be sent over a connection that works: nothing
  // behind it was executed. What the server forgot (DISCARD ALL, as a pooler says it) is prepared
  // anew the next time; this time the transaction is doomed, as by any error.
  static std::vector<Result> at_once(PGconn* connection, std::span<const Statement> statements,
                                     Kept& kept) {
    refresh(connection, kept);
    if (PQenterPipelineMode(connection) == 0) {
      throw PostgresError(connection, nullptr, "cannot send statements");
    }
    const Sent sent = send(connection, statements, kept);

    std::vector<Result> answers;
    bool has_forgotten = false;
    for (std::size_t i = 0; i < statements.size(); ++i) {
      const std::string& sql = sent.prepared[i];
      Result preparation(nullptr, &PQclear);
      if (!sql.empty()) preparation = next_result(connection);
      Result answer(nullptr, &PQclear);
      // A broken connection may have more to say than it was asked.
      const bool has_answer = i < sent.executed || PQstatus(connection) != CONNECTION_OK;
      if (has_answer) answer = next_result(connection);
      if (!sql.empty() && PQresultStatus(preparation.get()) != PGRES_COMMAND_OK) {
        kept.names.erase(sql);
        answer = std::move(preparation);
      }
      has_forgotten |= is_forgotten(answer.get());
      answers.push_back(std::move(answer));
    }
    // To the sync, or to the end of a broken connection.
    for (std::size_t left = 4 * statements.size() + 4; left > 0; --left) {
      if (PQexitPipelineMode(connection) != 0 || PQstatus(connection) != CONNECTION_OK) break;
      PQclear(PQgetResult(connection));
    }
    if (has_forgotten) kept = {};
    if (sent.error && PQstatus(connection) == CONNECTION_OK) throw *sent.error;
    return answers;
  }

  // Unique in the process; of another process that a pooler lets onto the same backend the same
  // name means the same SQL. Tells the command to whoever looks at the wire.
  static std::string new_name(std::string_view sql) {
    static std::atomic<unsigned> next{0};
    return "waybill_" + std::to_string(++next) + "_" +
           std::to_string(std::hash<std::string_view>{}(sql)) + "_" +
           std::string(sql.substr(0, sql.find(' ')));
  }

  static bool is_forgotten(const PGresult* result) {
    return PostgresError::sqlstate_of(result) == "26000";
  }

  // The answer to the statement; throws when BEGIN was refused, or one of them cannot be sent: no
  // transaction is open then.
  static Result begin_and_execute(PGconn* connection, const Statement& statement, Kept& kept) {
    const Statement statements[] = {{"BEGIN", {}}, statement};
    const auto execute = [&] {
      try {
        return at_once(connection, statements, kept);
      } catch (const PostgresError&) {
        rollback(connection);
        throw;
      }
    };
    std::vector<Result> answers = execute();
    if (is_forgotten(answers[0].get()) || is_forgotten(answers[1].get())) {
      rollback(connection);
      answers = execute();
    }
    check(connection, answers[0].get(), "BEGIN");
    return std::move(answers[1]);
  }

  // In pipeline mode: the result of one statement, behind which the protocol puts a NULL.
  static Result next_result(PGconn* connection) {
    Result result(PQgetResult(connection), &PQclear);
    if (result != nullptr) PQclear(PQgetResult(connection));
    return result;
  }

  static CommitAnswer commit_answer(PGconn* connection, const PGresult* result) {
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
      // A transaction in which a statement had failed is rolled back, without an error.
      return std::string_view(PQcmdStatus(const_cast<PGresult*>(result))) == "COMMIT"
                 ? CommitAnswer::committed
                 : CommitAnswer::rolled_back;
    }
    if (PQstatus(connection) != CONNECTION_OK) return CommitAnswer::unknown;
    throw PostgresError(connection, result, "COMMIT");
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
