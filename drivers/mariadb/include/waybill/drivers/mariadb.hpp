// A thin layer over libmariadb for what stores in MariaDB: prepared statements that are kept, typed
// parameters and results, errors told by what the caller can do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/failure.hpp"

struct st_mysql;
struct st_mysql_stmt;

namespace waybill::mariadb {

// Where a server is and how to log in.
struct Address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string user;  // empty: as libmariadb finds it
  std::optional<std::string> password;
  std::string database;
  std::string socket;         // a Unix socket's path, instead of host and port
  std::string defaults_file;  // an option file whose [client] group holds the password
  bool ssl = false;           // refuse a connection without TLS
  bool ssl_verify = false;    // the server's certificate must be of a known issuer and fit its name
  std::string ssl_ca, ssl_capath, ssl_crl, ssl_cert, ssl_key;
};

// mariadb://user[:password]@host[:port]/database[?name=value&…], each part percent-encoded.
// **Errors**: fix_call, without the password, for what is no such URL or has an unknown parameter.
[[nodiscard]] Result<Address> parse_url(std::string_view url);

// What a server's or the client library's error means; the only place that tells.
[[nodiscard]] Error translate(unsigned code, std::string_view message, std::string_view what);
// True when such an error ends the connection.
[[nodiscard]] bool ends_connection(unsigned code) noexcept;
// Why a server of this version is refused, or nothing. MariaDB 10.6 is the oldest that can do what
// the stores ask for (JSON_TABLE, atomic DDL).
[[nodiscard]] std::optional<Error> refuse_version(std::string_view version);

// As a literal or in JSON, UTC, microseconds; brought into the years 1970 to 9999.
[[nodiscard]] std::string to_text(DatabaseTime time);

// The parameters of one statement, in order. **Ownership**: copies what it is given.
class Parameters {
 public:
  Parameters& add(std::int64_t value);
  Parameters& add(std::string_view text);
  Parameters& add(DatabaseTime time);
  Parameters& add_bytes(std::string_view bytes);
  Parameters& add_optional(std::string_view text);  // empty = NULL
  Parameters& add_optional(const std::optional<DatabaseTime>& time);

 private:
  friend class Database;
  enum class Kind { null, number, text, bytes, time };
  struct Parameter {
    Kind kind;
    std::int64_t number;  // also the microseconds of a time
    std::size_t begin;
    std::size_t size;
  };
  Parameters& add(Kind kind, std::string_view bytes);

  std::string bytes_;
  std::vector<Parameter> parameters_;
};

// What one statement answered, in the client's memory.
class Rows {
 public:
  [[nodiscard]] std::size_t size() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const {
    return at(row, column).is_null;
  }
  [[nodiscard]] std::int64_t number(std::size_t row, std::size_t column) const;  // NULL is 0
  [[nodiscard]] std::string text(std::size_t row, std::size_t column) const {
    return std::string(view(row, column));
  }
  // **Ownership**: lives as long as the Rows.
  [[nodiscard]] std::string_view view(std::size_t row, std::size_t column) const;
  [[nodiscard]] DatabaseTime time(std::size_t row, std::size_t column) const;  // NULL is the epoch
  // Rows that the statement found for a change, whether or not they had the new values before.
  [[nodiscard]] std::int64_t affected() const { return affected_; }
  // What LAST_INSERT_ID(expression) was given, or the id of a new row.
  [[nodiscard]] std::int64_t insert_id() const { return insert_id_; }

 private:
  friend class Database;
  friend class Fetch;
  struct Cell {
    bool is_null = true;
    std::int64_t number = 0;  // of integers and, in microseconds, times
    std::size_t begin = 0;    // of everything else
    std::size_t size = 0;
  };
  [[nodiscard]] const Cell& at(std::size_t row, std::size_t column) const {
    return cells_[row * columns_ + column];
  }

  std::size_t columns_ = 0;
  std::vector<Cell> cells_;
  std::string bytes_;
  std::int64_t affected_ = 0;
  std::int64_t insert_id_ = 0;
};

// Time-outs are rounded up to seconds, which is what libmariadb and the server count in.
struct Settings {
  std::string url;
  Millis connect_timeout{2000};
  Millis answer_timeout{2000};  // the longest wait for one answer; the connection is then given up
  Millis lock_timeout{1000};    // the longest wait for a locked row or table
};

// One connection with its prepared statements: UTC, READ COMMITTED, utf8mb4, strict, never
// connected anew behind the caller's back. Connects anew when the last call found it broken.
//
// In a statement `?1`, `?2` … name the parameters; one may stand several times.
// **Errors**: throws Failure: `retry` when nothing was changed, `look` when the answer to a commit
// was lost, `fix_call` for what does not mend itself.
// **Thread safety**: confined to one thread.
class Database {
 public:
  explicit Database(Settings settings);  // connects
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // A statement's address is the key of the prepared one: it must live as long as the database.
  // Outside transaction() each is a transaction of its own. A read that got no answer is `retry`.
  Rows read(const std::string& sql, const Parameters& parameters = {});
  Rows write(const std::string& sql, const Parameters& parameters = {});

  // Statements without parameters and answers, separated by ';'.
  void execute(const std::string& statements) { static_cast<void>(change(statements)); }
  // The same; answers how many rows the last of them found for a change.
  std::int64_t change(const std::string& statements);

  // Runs `body` in one transaction; START TRANSACTION travels with the first change() where that
  // comes first.
  template <class Body>
  auto transaction(Body&& body) {
    begin();
    try {
      if constexpr (std::is_void_v<decltype(body())>) {
        body();
        commit();
      } else {
        auto result = body();
        commit();
        return result;
      }
    } catch (...) {
      roll_back();
      throw;
    }
  }

 private:
  enum class Transaction { none, announced, open };
  struct Prepared;

  void connect();
  void verify_session();
  void ensure_connected();
  void begin();
  void commit();
  void roll_back() noexcept;

  Rows run(const std::string& sql, const Parameters& parameters, bool in_doubt);
  Prepared& prepare(const std::string& sql);
  std::int64_t query(const std::string& text, bool in_doubt);
  [[noreturn]] void fail(unsigned code, const std::string& message, bool in_doubt);
  void disconnect() noexcept;

  Settings settings_;
  std::unique_ptr<st_mysql, void (*)(st_mysql*)> connection_;
  std::unordered_map<const std::string*, std::unique_ptr<Prepared>> prepared_;
  Transaction transaction_ = Transaction::none;
};

}  // namespace waybill::mariadb
