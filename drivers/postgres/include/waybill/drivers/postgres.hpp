// A thin layer over libpq for what stores in PostgreSQL: binary parameters and results, prepared
// statements, and one round trip for several of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "waybill/clock.hpp"
#include "waybill/failure.hpp"

struct pg_conn;
struct pg_result;

namespace waybill::postgres {

// What a server's error means; the only place that tells. `sqlstate` is empty when the connection
// broke.
[[nodiscard]] Error translate(std::string_view sqlstate, std::string_view message,
                              std::string_view what);

// The parameters of one statement, in order, encoded as the protocol's binary format wants them.
// **Ownership**: copies what it is given.
class Parameters {
 public:
  Parameters& add(std::int64_t value);
  Parameters& add(std::string_view text);
  Parameters& add(DatabaseTime time);
  Parameters& add(bool value);
  Parameters& add_bytes(std::string_view bytes);
  Parameters& add(std::span<const std::int64_t> values);      // bigint[]
  Parameters& add(std::span<const std::string_view> values);  // text[]
  Parameters& add(std::span<const DatabaseTime> values);      // timestamptz[]
  Parameters& add_optional(std::string_view text);            // empty = NULL
  Parameters& add_optional(const std::optional<DatabaseTime>& time);

 private:
  friend class Database;
  struct Parameter {
    unsigned type;
    bool is_null;
    std::size_t begin;
    std::size_t size;
  };
  void begin(unsigned type) { parameters_.push_back({type, false, bytes_.size(), 0}); }
  Parameters& end() {
    parameters_.back().size = bytes_.size() - parameters_.back().begin;
    return *this;
  }
  Parameters& null(unsigned type);
  void array(unsigned type, std::size_t size);

  std::string bytes_;
  std::vector<Parameter> parameters_;
};

// What one statement answered.
class Rows {
 public:
  explicit Rows(pg_result* result);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool is_null(std::size_t row, int column) const;
  [[nodiscard]] std::int64_t number(std::size_t row, int column) const;  // of any width; NULL is 0
  [[nodiscard]] std::string text(std::size_t row, int column) const {
    return std::string(view(row, column));
  }
  // **Ownership**: lives as long as the Rows.
  [[nodiscard]] std::string_view view(std::size_t row, int column) const;
  [[nodiscard]] DatabaseTime time(std::size_t row, int column) const;  // NULL is the epoch
  [[nodiscard]] std::int64_t affected() const;

 private:
  friend class Database;
  [[nodiscard]] int status() const;
  [[nodiscard]] Error error() const;

  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

// A statement and its parameters. **Ownership**: borrows the text, whose address is the cache's
// key: it must live as long as the database.
struct Call {
  const std::string* sql = nullptr;
  Parameters parameters;
};

struct Settings {
  std::string url;               // postgresql://… or key=value, as libpq reads it
  Millis connect_timeout{2000};  // rounded up to seconds, 2 at least
  Millis answer_timeout{2000};   // the longest wait for one answer; the connection is then given up
  Millis lock_timeout{1000};
  std::string session;  // SET statements for every new connection, separated by ';'
};

// One connection with its prepared statements: UTC, READ COMMITTED, UTF-8. Connects anew when the
// last call found it broken.
// **Errors**: throws Failure: `retry` when nothing was changed, `look` when the answer to a commit
// was lost, `fix_call` for what does not mend itself.
// **Thread safety**: confined to one thread.
class Database {
 public:
  explicit Database(Settings settings);  // connects

  // Each runs its calls in one round trip and one transaction, all or none; inside transaction()
  // they join that one, and write_and_commit() ends it. A read that got no answer is `retry`.
  std::vector<Rows> read(std::span<const Call> calls) { return run(calls, After::nothing); }
  std::vector<Rows> write(std::span<const Call> calls) {
    return run(calls, transaction_ == Transaction::none ? After::commit : After::nothing);
  }
  std::vector<Rows> write_and_commit(std::span<const Call> calls) {
    return run(calls, After::commit);
  }
  Rows read(const std::string& sql, Parameters parameters = {});
  Rows write(const std::string& sql, Parameters parameters = {});

  // Statements without parameters, separated by ';'.
  void execute(const std::string& statements);

  // Runs `body` in one transaction of several round trips; BEGIN travels with the first of them.
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

  [[nodiscard]] pg_conn* handle() { return connection_.get(); }

 private:
  enum class Transaction { none, announced, open };
  enum class After { nothing, commit };

  void connect();
  [[nodiscard]] bool is_connected() const;
  void begin() { transaction_ = Transaction::announced; }
  void commit();
  void roll_back() noexcept;

  std::vector<Rows> run(std::span<const Call> calls, After after);
  // True if the statement is prepared first, which is a result of its own.
  bool send(const Call& call);
  void send_plain(const char* sql);
  Rows receive(bool in_doubt, Steady until);
  pg_result* next_result(bool in_doubt, Steady until);
  [[noreturn]] void lose(bool in_doubt, const std::string& why);

  Settings settings_;
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
  std::unordered_map<const std::string*, std::string> prepared_;
  std::uint64_t statements_ = 0;  // names the next
  Transaction transaction_ = Transaction::none;
};

}  // namespace waybill::postgres
