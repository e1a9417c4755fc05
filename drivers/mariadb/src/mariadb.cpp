#include "waybill/drivers/mariadb.hpp"

#include <errmsg.h>
#include <mysql.h>

#include <algorithm>
#include <mutex>

#include "rows.hpp"

namespace waybill::mariadb {
namespace {

constexpr std::string_view kSqlMode =
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

struct StatementDeleter {
  void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
};

unsigned seconds_of(Millis time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  return static_cast<unsigned>(std::max<std::int64_t>(seconds, 1));
}

// `?1`, `?2` … as the protocol wants them, without comments, and which parameter each mark takes.
std::string plain_marks(const std::string& sql, std::vector<std::size_t>& order) {
  std::string plain;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql.compare(i, 2, "--") == 0) i = std::min(sql.find('\n', i), sql.size() - 1);
    plain += sql[i];
    if (sql[i] != '?') continue;
    std::size_t number = 0;
    for (; i + 1 < sql.size() && sql[i + 1] >= '0' && sql[i + 1] <= '9'; ++i) {
      number = number * 10 + static_cast<std::size_t>(sql[i + 1] - '0');
    }
    order.push_back(number - 1);
  }
  return plain;
}

const char* text_or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

void set_text(MYSQL* connection, mysql_option option, const std::string& text) {
  if (!text.empty()) mysql_optionsv(connection, option, text.c_str());
}

void set_options(MYSQL* connection, const Settings& settings, const Address& address) {
  const unsigned connect_timeout = seconds_of(settings.connect_timeout);
  const unsigned answer_timeout = seconds_of(settings.answer_timeout);
  mysql_optionsv(connection, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
  mysql_optionsv(connection, MYSQL_OPT_READ_TIMEOUT, &answer_timeout);
  mysql_optionsv(connection, MYSQL_OPT_WRITE_TIMEOUT, &answer_timeout);
  mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const my_bool no = 0;
  const my_bool yes = 1;
  mysql_optionsv(connection, MYSQL_OPT_RECONNECT, &no);
  const unsigned no_files = 0;
  mysql_optionsv(connection, MYSQL_OPT_LOCAL_INFILE, &no_files);
  mysql_optionsv(connection, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "waybill");
  // Else "localhost" would mean a Unix socket, wherever the port leads.
  const unsigned protocol = address.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  mysql_optionsv(connection, MYSQL_OPT_PROTOCOL, &protocol);
  if (address.ssl) mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &yes);
  mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, address.ssl_verify ? &yes : &no);
  set_text(connection, MYSQL_OPT_SSL_CA, address.ssl_ca);
  set_text(connection, MYSQL_OPT_SSL_CAPATH, address.ssl_capath);
  set_text(connection, MYSQL_OPT_SSL_CRL, address.ssl_crl);
  set_text(connection, MYSQL_OPT_SSL_CERT, address.ssl_cert);
  set_text(connection, MYSQL_OPT_SSL_KEY, address.ssl_key);
  if (!address.defaults_file.empty()) {
    mysql_optionsv(connection, MYSQL_READ_DEFAULT_FILE, address.defaults_file.c_str());
    mysql_optionsv(connection, MYSQL_READ_DEFAULT_GROUP, "client");
  }
}

// The session as every statement of ours expects it. The server ends a statement and an idle
// transaction after the same time as the client gives up.
std::string session_statement(const Settings& settings) {
  const std::string answer = std::to_string(seconds_of(settings.answer_timeout));
  const std::string lock = std::to_string(seconds_of(settings.lock_timeout));
  return "SET NAMES utf8mb4; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
         " SET SESSION autocommit = 1, sql_mode = '" +
         std::string(kSqlMode) + "', time_zone = '+00:00', max_statement_time = " + answer +
         ", idle_transaction_timeout = " + answer + ", innodb_lock_wait_timeout = " + lock +
         ", lock_wait_timeout = " + lock +
         // Else a long list of ids becomes a subquery, which no index serves.
         ", in_predicate_conversion_threshold = 0";
}

}  // namespace

struct Database::Prepared {
  std::unique_ptr<MYSQL_STMT, StatementDeleter> statement;
  std::vector<std::size_t> order;  // which parameter each mark takes
};

Database::Database(Settings settings)
    : settings_(std::move(settings)), connection_(nullptr, &mysql_close) {
  // mysql_init() would do it, but not for two threads at once.
  static std::once_flag started;
  std::call_once(started, [] { mysql_library_init(0, nullptr, nullptr); });
  connect();
}

Database::~Database() {
  disconnect();
}

void Database::disconnect() noexcept {
  prepared_.clear();
  connection_.reset();
}

// A transaction does not outlive its connection.
void Database::ensure_connected() {
  if (connection_ != nullptr) return;
  if (transaction_ != Transaction::none) {
    fail(CR_SERVER_LOST, "in the middle of a transaction", false);
  }
  connect();
}

void Database::connect() {
  disconnect();
  const Result<Address> parsed = parse_url(settings_.url);
  if (!parsed) throw Failure{parsed.error()};
  const Address& address = *parsed;
  std::unique_ptr<MYSQL, void (*)(MYSQL*)> connection(mysql_init(nullptr), &mysql_close);
  if (connection == nullptr) throw Failure{{Remedy::retry, "out of memory", {}}};
  set_options(connection.get(), settings_, address);
  const char* password = address.password ? address.password->c_str() : nullptr;
  if (mysql_real_connect(connection.get(), address.host.c_str(), text_or_null(address.user),
                         password, address.database.c_str(), address.port,
                         text_or_null(address.socket),
                         CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS) == nullptr) {
    throw Failure{translate(mysql_errno(connection.get()), mysql_error(connection.get()),
                            "cannot connect to MariaDB")};
  }
  if (auto refused = refuse_version(mysql_get_server_info(connection.get()))) {
    throw Failure{*refused};
  }
  connection_ = std::move(connection);
  execute(session_statement(settings_));
  verify_session();
}

// A proxy or an init_connect may have thought otherwise.
void Database::verify_session() {
  static const std::string kSession =
      "SELECT @@sql_mode, @@autocommit, @@tx_isolation, @@time_zone, @@character_set_client,"
      " @@log_bin = 1 AND @@binlog_format = 'STATEMENT'";
  const Rows rows = read(kSession);
  const bool as_asked = rows.view(0, 0) == kSqlMode && rows.number(0, 1) == 1 &&
                        rows.view(0, 2) == "READ-COMMITTED" && rows.view(0, 3) == "+00:00" &&
                        rows.view(0, 4) == "utf8mb4";
  if (!as_asked) {
    throw Failure{{Remedy::fix_call,
                   "the server did not take the settings of the session: sql_mode " +
                       rows.text(0, 0) + ", isolation " + rows.text(0, 2) + ", time zone " +
                       rows.text(0, 3) + ", character set " + rows.text(0, 4),
                   "connect to the server itself, without a proxy that keeps its own settings"}};
  }
  if (rows.number(0, 5) != 0) {
    throw Failure{{Remedy::fix_call,
                   "the server writes its binary log with binlog_format STATEMENT, which refuses "
                   "READ COMMITTED transactions",
                   "set binlog_format to ROW or MIXED on the server"}};
  }
}

void Database::fail(unsigned code, const std::string& message, bool in_doubt) {
  if (!ends_connection(code)) throw Failure{translate(code, message, "MariaDB")};
  disconnect();
  // "Gone" is what the client finds before it has sent anything.
  in_doubt = in_doubt && code != CR_SERVER_GONE_ERROR;
  throw Failure{{in_doubt ? Remedy::look : Remedy::retry,
                 "the connection to MariaDB broke: " + message,
                 in_doubt ? "it may have been written; look before doing it again" : ""}};
}

std::int64_t Database::query(const std::string& text, bool in_doubt) {
  MYSQL* connection = connection_.get();
  int more = mysql_real_query(connection, text.data(), static_cast<unsigned long>(text.size()));
  std::int64_t affected = 0;
  while (more == 0) {
    mysql_free_result(mysql_store_result(connection));
    affected = static_cast<std::int64_t>(mysql_affected_rows(connection));
    more = mysql_next_result(connection);
  }
  if (more > 0) fail(mysql_errno(connection), mysql_error(connection), in_doubt);
  return affected;
}

std::int64_t Database::change(const std::string& statements) {
  ensure_connected();
  if (transaction_ != Transaction::announced) {
    return query(statements, transaction_ == Transaction::none);
  }
  transaction_ = Transaction::open;
  return query("START TRANSACTION; " + statements, false);
}

Database::Prepared& Database::prepare(const std::string& sql) {
  auto& known = prepared_[&sql];
  if (known != nullptr) return *known;
  auto fresh = std::make_unique<Prepared>();
  const std::string plain = plain_marks(sql, fresh->order);
  fresh->statement.reset(mysql_stmt_init(connection_.get()));
  MYSQL_STMT* statement = fresh->statement.get();
  if (mysql_stmt_prepare(statement, plain.data(), static_cast<unsigned long>(plain.size())) != 0) {
    const unsigned code = mysql_stmt_errno(statement);
    const std::string message = mysql_stmt_error(statement);
    fresh.reset();
    fail(code, message, false);
  }
  known = std::move(fresh);
  return *known;
}

Rows Database::run(const std::string& sql, const Parameters& parameters, bool in_doubt) {
  ensure_connected();
  if (transaction_ == Transaction::announced) {
    query("START TRANSACTION", false);
    transaction_ = Transaction::open;
  }
  Prepared& prepared = prepare(sql);
  MYSQL_STMT* statement = prepared.statement.get();
  std::vector<MYSQL_BIND> binds(prepared.order.size());
  std::vector<MYSQL_TIME> times(prepared.order.size());
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const Parameters::Parameter& parameter = parameters.parameters_.at(prepared.order[i]);
    MYSQL_BIND& bind = binds[i];
    switch (parameter.kind) {
      case Parameters::Kind::null:
        bind.buffer_type = MYSQL_TYPE_NULL;
        break;
      case Parameters::Kind::number:
        bind.buffer_type = MYSQL_TYPE_LONGLONG;
        bind.buffer = const_cast<std::int64_t*>(&parameter.number);
        break;
      case Parameters::Kind::time:
        times[i] = from_time(DatabaseTime(std::chrono::microseconds(parameter.number)));
        bind.buffer_type = MYSQL_TYPE_DATETIME;
        bind.buffer = &times[i];
        break;
      case Parameters::Kind::text:
      case Parameters::Kind::bytes:
        bind.buffer_type =
            parameter.kind == Parameters::Kind::text ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind.buffer = const_cast<char*>(parameters.bytes_.data()) + parameter.begin;
        bind.buffer_length = static_cast<unsigned long>(parameter.size);
    }
  }
  Rows rows;
  if ((!binds.empty() && mysql_stmt_bind_param(statement, binds.data()) != 0) ||
      mysql_stmt_execute(statement) != 0 || !Fetch(statement).run(rows)) {
    const unsigned code = mysql_stmt_errno(statement);
    const std::string message = mysql_stmt_error(statement);
    mysql_stmt_free_result(statement);
    fail(code, message, in_doubt);
  }
  return rows;
}

Rows Database::read(const std::string& sql, const Parameters& parameters) {
  return run(sql, parameters, false);
}

Rows Database::write(const std::string& sql, const Parameters& parameters) {
  return run(sql, parameters, transaction_ == Transaction::none);
}

void Database::begin() {
  ensure_connected();
  transaction_ = Transaction::announced;
}

void Database::commit() {
  if (transaction_ == Transaction::open) {
    ensure_connected();
    query("COMMIT", true);
  }
  transaction_ = Transaction::none;
}

void Database::roll_back() noexcept {
  const bool is_open = transaction_ == Transaction::open && connection_ != nullptr;
  transaction_ = Transaction::none;
  // The server rolls back what has no connection.
  if (is_open && mysql_rollback(connection_.get()) != 0) disconnect();
}

}  // namespace waybill::mariadb
