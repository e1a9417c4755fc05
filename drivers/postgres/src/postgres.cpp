#include "waybill/drivers/postgres.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace waybill::postgres {
namespace {

constexpr unsigned kBool = 16;
constexpr unsigned kBytea = 17;
constexpr unsigned kBigint = 20;
constexpr unsigned kText = 25;
constexpr unsigned kTextArray = 1009;
constexpr unsigned kBigintArray = 1016;
constexpr unsigned kTime = 1184;
constexpr unsigned kTimeArray = 1185;
constexpr int kOldestServer = 130000;
// PostgreSQL counts microseconds from here.
constexpr DatabaseTime kEpoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);

template <class Integer>
void append(std::string& bytes, Integer value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(static_cast<std::make_unsigned_t<Integer>>(value) >> shift);
  }
}

std::int64_t micros(DatabaseTime time) {
  return (time - kEpoch).count();
}

unsigned element_of(unsigned array) {
  return array == kTextArray ? kText : array == kBigintArray ? kBigint : kTime;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

// What may pass by itself: connection trouble, conflicts, resources, operators and time-outs.
bool is_passing(std::string_view state) {
  return state.empty() || state == "25006" || state == "25P03" ||
         starts_with_any(state, {"08", "40", "53", "55", "57", "58"});
}

std::string hint_for(std::string_view state) {
  if (starts_with_any(state, {"28"})) return "check user, password and pg_hba.conf";
  if (state == "3D000") return "create the database, or correct its name in the URL";
  if (state == "42501") return "grant it; waybill schema roles prints what each process needs";
  if (state == "42P01" || state == "42703") return "run: waybill schema apply";
  if (state == "25006") return "the server is read-only, as a standby is; use the primary";
  if (state == "53300") return "raise max_connections, or open fewer connections";
  if (state == "53100") return "free space on the server's disk";
  return {};
}

std::string first_line(std::string_view text) {
  if (text.starts_with("ERROR:  ")) text.remove_prefix(8);
  return std::string(text.substr(0, text.find('\n')));
}

// libpq gives no SQLSTATE here; what the server said about user and database does not pass.
Error cannot_connect(std::string_view message) {
  const auto says = [&](std::string_view words) { return message.find(words) != message.npos; };
  const std::string text = "cannot connect to PostgreSQL: ";
  // What libpq quotes may be a piece of the password.
  if (message.starts_with("invalid ") || says(" URI") ||
      (message.starts_with("could not translate host name") && says("@"))) {
    const std::string_view unquoted = message.substr(0, message.find('"'));
    return {Remedy::fix_call,
            text + std::string(unquoted.substr(0, unquoted.find_last_not_of(": ") + 1)),
            "write postgresql://user@host:port/database, and in its parts % as %25, @ as %40, "
            "/ as %2F, : as %3A"};
  }
  if (says("FATAL:") && (says("password") || says("does not exist") || says("pg_hba"))) {
    return {Remedy::fix_call, text + first_line(message),
            "check user, password and database in the URL"};
  }
  return {Remedy::retry, text + first_line(message),
          "check that the server runs and accepts connections there"};
}

std::string_view state_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? std::string_view() : state;
}

}  // namespace

Error translate(std::string_view sqlstate, std::string_view message, std::string_view what) {
  return {is_passing(sqlstate) ? Remedy::retry : Remedy::fix_call,
          std::string(what) + ": " + first_line(message) +
              (sqlstate.empty() ? "" : " [" + std::string(sqlstate) + "]"),
          hint_for(sqlstate)};
}

Parameters& Parameters::add(std::int64_t value) {
  begin(kBigint);
  append(bytes_, value);
  return end();
}

Parameters& Parameters::add(std::string_view text) {
  begin(kText);
  bytes_ += text;
  return end();
}

Parameters& Parameters::add(DatabaseTime time) {
  begin(kTime);
  append(bytes_, micros(time));
  return end();
}

Parameters& Parameters::add(bool value) {
  begin(kBool);
  bytes_ += value ? '\1' : '\0';
  return end();
}

Parameters& Parameters::add_bytes(std::string_view bytes) {
  begin(kBytea);
  bytes_ += bytes;
  return end();
}

void Parameters::array(unsigned type, std::size_t size) {
  begin(type);
  append(bytes_, std::int32_t{size == 0 ? 0 : 1});  // dimensions
  append(bytes_, std::int32_t{0});                  // no NULLs
  append(bytes_, static_cast<std::int32_t>(element_of(type)));
  if (size == 0) return;
  append(bytes_, static_cast<std::int32_t>(size));
  append(bytes_, std::int32_t{1});  // lower bound
}

Parameters& Parameters::add(std::span<const std::int64_t> values) {
  array(kBigintArray, values.size());
  for (const std::int64_t value : values) {
    append(bytes_, std::int32_t{8});
    append(bytes_, value);
  }
  return end();
}

Parameters& Parameters::add(std::span<const std::string_view> values) {
  array(kTextArray, values.size());
  for (const std::string_view value : values) {
    append(bytes_, static_cast<std::int32_t>(value.size()));
    bytes_ += value;
  }
  return end();
}

Parameters& Parameters::add(std::span<const DatabaseTime> values) {
  array(kTimeArray, values.size());
  for (const DatabaseTime value : values) {
    append(bytes_, std::int32_t{8});
    append(bytes_, micros(value));
  }
  return end();
}

Parameters& Parameters::null(unsigned type) {
  parameters_.push_back({type, true, bytes_.size(), 0});
  return *this;
}

Parameters& Parameters::add_optional(std::string_view text) {
  return text.empty() ? null(kText) : add(text);
}

Parameters& Parameters::add_optional(const std::optional<DatabaseTime>& time) {
  return time ? add(*time) : null(kTime);
}

Rows::Rows(pg_result* result) : result_(result, &PQclear) {}

std::size_t Rows::size() const {
  return static_cast<std::size_t>(PQntuples(result_.get()));
}

bool Rows::is_null(std::size_t row, int column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

std::string_view Rows::view(std::size_t row, int column) const {
  const int at = static_cast<int>(row);
  return {PQgetvalue(result_.get(), at, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), at, column))};
}

std::int64_t Rows::number(std::size_t row, int column) const {
  const std::string_view bytes = view(row, column);
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  // The sign of the narrower widths.
  switch (bytes.size()) {
    case 2:
      return static_cast<std::int16_t>(value);
    case 4:
      return static_cast<std::int32_t>(value);
    default:
      return static_cast<std::int64_t>(value);
  }
}

DatabaseTime Rows::time(std::size_t row, int column) const {
  if (is_null(row, column)) return {};
  return kEpoch + std::chrono::microseconds(number(row, column));
}

int Rows::status() const {
  return PQresultStatus(result_.get());
}

Error Rows::error() const {
  return translate(state_of(result_.get()), PQresultErrorMessage(result_.get()), "PostgreSQL");
}

std::int64_t Rows::affected() const {
  return std::atoll(PQcmdTuples(result_.get()));
}

Database::Database(Settings settings)
    : settings_(std::move(settings)), connection_(nullptr, &PQfinish) {
  connect();
}

bool Database::is_connected() const {
  return connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK;
}

void Database::connect() {
  prepared_.clear();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(settings_.connect_timeout).count();
  const std::string connect_timeout = std::to_string(std::max<std::int64_t>(seconds, 2));
  const std::string user_timeout = std::to_string(settings_.answer_timeout.count());
  const std::array<const char*, 6> keys = {
      "dbname",           "connect_timeout",           "client_encoding",
      "tcp_user_timeout", "fallback_application_name", nullptr};
  const std::array<const char*, 6> values = {settings_.url.c_str(),
                                             connect_timeout.c_str(),
                                             "UTF8",
                                             user_timeout.c_str(),
                                             "waybill",
                                             nullptr};
  connection_.reset(PQconnectdbParams(keys.data(), values.data(), 1));
  PGconn* connection = connection_.get();
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  if (!is_connected()) {
    throw Failure{cannot_connect(connection == nullptr ? "" : PQerrorMessage(connection))};
  }
  if (PQserverVersion(connection) < kOldestServer) {
    throw Failure{
        {Remedy::fix_call,
         "PostgreSQL " + std::to_string(PQserverVersion(connection) / 10000) + " is too old",
         "use PostgreSQL 13 or newer"}};
  }
  if (const char* encoding = PQparameterStatus(connection, "server_encoding");
      encoding == nullptr || std::string_view(encoding) != "UTF8") {
    throw Failure{{Remedy::fix_call, "the database's encoding is not UTF8",
                   "create it with ENCODING 'UTF8'; others cannot hold every message"}};
  }
  const std::string answer = std::to_string(settings_.answer_timeout.count());
  execute(
      "SET client_min_messages = warning; SET TimeZone = 'UTC'; SET default_transaction_isolation "
      "= 'read committed'; "
      "SET statement_timeout = " +
      answer + "; SET idle_in_transaction_session_timeout = " + answer + "; SET lock_timeout = " +
      std::to_string(settings_.lock_timeout.count()) + "; " + settings_.session);
  PQsetnonblocking(connection, 1);
}

void Database::execute(const std::string& statements) {
  if (!is_connected()) connect();
  PGconn* connection = connection_.get();
  PQexitPipelineMode(connection);
  if (transaction_ == Transaction::announced) {
    PQclear(PQexec(connection, "BEGIN"));
    transaction_ = Transaction::open;
  }
  const Rows rows(PQexec(connection, statements.c_str()));
  if (PQstatus(connection) != CONNECTION_OK) {
    lose(transaction_ == Transaction::none, PQerrorMessage(connection));
  }
  PQenterPipelineMode(connection);
  if (rows.status() == PGRES_FATAL_ERROR) throw Failure{rows.error()};
}

void Database::lose(bool in_doubt, const std::string& why) {
  connection_.reset();
  transaction_ = Transaction::none;
  throw Failure{{in_doubt ? Remedy::look : Remedy::retry,
                 "the connection to PostgreSQL broke: " + first_line(why),
                 in_doubt ? "it may have been written; look before doing it again" : ""}};
}

void Database::send_plain(const char* sql) {
  if (PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1) == 0) {
    lose(false, PQerrorMessage(connection_.get()));
  }
}

bool Database::send(const Call& call) {
  PGconn* connection = connection_.get();
  const auto& parameters = call.parameters.parameters_;
  bool prepares = false;
  auto known = prepared_.find(call.sql);
  if (known == prepared_.end()) {
    known = prepared_.emplace(call.sql, "waybill_" + std::to_string(++statements_)).first;
    std::vector<Oid> types;
    for (const auto& parameter : parameters) types.push_back(parameter.type);
    if (PQsendPrepare(connection, known->second.c_str(), call.sql->c_str(),
                      static_cast<int>(types.size()), types.data()) == 0) {
      lose(false, PQerrorMessage(connection));
    }
    prepares = true;
  }
  std::vector<const char*> values;
  std::vector<int> sizes;
  for (const auto& parameter : parameters) {
    values.push_back(parameter.is_null ? nullptr : call.parameters.bytes_.data() + parameter.begin);
    sizes.push_back(static_cast<int>(parameter.size));
  }
  const std::vector<int> formats(values.size(), 1);
  if (PQsendQueryPrepared(connection, known->second.c_str(), static_cast<int>(values.size()),
                          values.data(), sizes.data(), formats.data(), 1) == 0) {
    lose(false, PQerrorMessage(connection));
  }
  return prepares;
}

PGresult* Database::next_result(bool in_doubt, Steady until) {
  PGconn* connection = connection_.get();
  for (;;) {
    const int unsent = PQflush(connection);
    if (unsent < 0) lose(in_doubt, PQerrorMessage(connection));
    if (PQisBusy(connection) == 0) return PQgetResult(connection);
    const auto left = std::chrono::duration_cast<Millis>(until - std::chrono::steady_clock::now());
    pollfd socket{PQsocket(connection), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
                  0};
    if (left.count() <= 0 || ::poll(&socket, 1, static_cast<int>(left.count())) == 0) {
      lose(in_doubt, "no answer for " + std::to_string(settings_.answer_timeout.count()) + " ms");
    }
    if (PQconsumeInput(connection) == 0) lose(in_doubt, PQerrorMessage(connection));
  }
}

// The result of one statement, behind which the protocol puts a NULL.
Rows Database::receive(bool in_doubt, Steady until) {
  Rows rows(next_result(in_doubt, until));
  while (PGresult* more = next_result(in_doubt, until)) PQclear(more);
  return rows;
}

std::vector<Rows> Database::run(std::span<const Call> calls, After after) {
  if (!is_connected()) {
    if (transaction_ == Transaction::open) lose(false, "in the middle of a transaction");
    connect();
  }
  PGconn* connection = connection_.get();
  std::vector<bool> is_answer;  // per result: of a call; not of BEGIN, COMMIT or a preparation
  if (transaction_ == Transaction::announced) {
    send_plain("BEGIN");
    is_answer.push_back(false);
    transaction_ = Transaction::open;
  }
  std::vector<const std::string*> fresh;
  for (const Call& call : calls) {
    if (send(call)) {
      is_answer.push_back(false);
      fresh.push_back(call.sql);
    }
    is_answer.push_back(true);
  }
  if (after == After::commit && transaction_ == Transaction::open) {
    send_plain("COMMIT");
    is_answer.push_back(false);
    transaction_ = Transaction::none;
  }
  PQpipelineSync(connection);

  // Until COMMIT is sent, a lost transaction is surely rolled back.
  const bool in_doubt = after == After::commit;
  const Steady until = std::chrono::steady_clock::now() + settings_.answer_timeout;
  std::vector<Rows> answers;
  std::optional<Error> failed;
  for (const bool is_call : is_answer) {
    Rows rows = receive(in_doubt, until);
    if (rows.status() == PGRES_FATAL_ERROR && !failed) failed = rows.error();
    if (is_call) answers.push_back(std::move(rows));
  }
  // An error of the commit itself, such as that of a deferred constraint, comes before the sync.
  for (;;) {
    const Rows rows(next_result(in_doubt, until));
    if (rows.status() == PGRES_PIPELINE_SYNC) break;
    if (rows.status() == PGRES_FATAL_ERROR && !failed) failed = rows.error();
    // On what libpq has given up, for garbage or want of memory, no sync comes any more.
    if (!is_connected()) lose(in_doubt, PQerrorMessage(connection));
  }
  if (!failed) return answers;
  // COMMIT was skipped behind the error: the transaction is still open, and failed.
  if (PQtransactionStatus(connection) == PQTRANS_INERROR) transaction_ = Transaction::open;
  for (const std::string* sql : fresh) prepared_.erase(sql);
  throw Failure{*failed};
}

Rows Database::read(const std::string& sql, Parameters parameters) {
  const Call call{&sql, std::move(parameters)};
  return std::move(read({&call, 1}).front());
}

Rows Database::write(const std::string& sql, Parameters parameters) {
  const Call call{&sql, std::move(parameters)};
  return std::move(write({&call, 1}).front());
}

void Database::commit() {
  if (transaction_ == Transaction::open) {
    run({}, After::commit);
  }
  transaction_ = Transaction::none;
}

void Database::roll_back() noexcept {
  const bool is_open = transaction_ == Transaction::open;
  transaction_ = Transaction::none;
  if (!is_open || !is_connected()) return;
  try {
    send_plain("ROLLBACK");
    PQpipelineSync(connection_.get());
    const Steady until = std::chrono::steady_clock::now() + settings_.answer_timeout;
    static_cast<void>(receive(false, until));
    while (Rows(next_result(false, until)).status() != PGRES_PIPELINE_SYNC) {
      if (!is_connected()) lose(false, PQerrorMessage(connection_.get()));
    }
  } catch (const Failure&) {
    connection_.reset();  // the server rolls back what has no connection
  }
}

}  // namespace waybill::postgres
