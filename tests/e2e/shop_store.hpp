// Where a shop keeps its orders and its points. A test program is linked with exactly one of
// sqlite_store.cpp, postgres_store.cpp …: the tests are the same for every database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace waybill::e2e {

// Constants, so that suites may be chosen by them before main().
extern const char* const kStoreName;
extern const bool kStoreIsServer;  // a process of its own behind a socket

// A client that knows nothing of waybill.
class SqlClient {
 public:
  virtual ~SqlClient() = default;
  // The first column of every row of the last statement; NULL is empty. A lost connection is opened
  // anew, once. **Errors**: throws std::runtime_error.
  virtual std::vector<std::string> query(const std::string& statements) = 0;
};

enum class Host {
  shared,  // the server that ctest started; databases of our own on it
  own,     // a server of this store's own, to be killed and changed
};

// Two fresh databases, "orders" and "points"; gone with the object.
class ShopStore {
 public:
  virtual ~ShopStore() = default;
  // As the example's programs are told of a database, and as the waybill program is.
  [[nodiscard]] virtual std::string address(const std::string& database) const = 0;
  [[nodiscard]] virtual std::string url(const std::string& database) const = 0;
  [[nodiscard]] virtual std::unique_ptr<SqlClient> connect(const std::string& url) const = 0;
  // The command line that runs SQL from its standard input with the database's own client program.
  [[nodiscard]] virtual std::string client_command(const std::string& database) const = 0;
  // Exactly the eight columns, as somebody else may have made them.
  [[nodiscard]] virtual std::string eight_column_table() const = 0;
  // Whoever connects is refused, as by a database that is not there yet; only one's own.
  virtual void set_down(bool is_down) = 0;
  // Puts a session into a time zone that is not UTC; empty where sessions have none.
  [[nodiscard]] virtual std::string other_time_zone() const = 0;
};

// What only a server can suffer.
class ServerStore : public ShopStore {
 public:
  virtual void kill() = 0;   // SIGKILL; only one's own
  virtual void start() = 0;  // on the same port
  virtual void set_read_only(bool is_read_only) = 0;
  // Ends every other session, as an administrator would.
  virtual void end_sessions() = 0;
  // Ends every other session, and lets none in again.
  virtual void set_full(bool is_full) = 0;
  // A login that is a member of these roles.
  virtual void create_login(const std::string& name, const std::vector<std::string>& roles) = 0;
  // The statement that gives, or takes, rights on a table to a login or from a role.
  [[nodiscard]] virtual std::string grant(const std::string& rights, const std::string& table,
                                          const std::string& login) const = 0;
  [[nodiscard]] virtual std::string revoke(const std::string& rights, const std::string& table,
                                           const std::string& role) const = 0;
};

// The same database for another user, at another port.
[[nodiscard]] std::string with_user(const std::string& url, const std::string& user);
[[nodiscard]] std::string with_port(const std::string& url, std::uint16_t port);
[[nodiscard]] std::uint16_t port_of(const std::string& url);

// **Ownership**: `folder` outlives the store.
[[nodiscard]] std::unique_ptr<ShopStore> make_shop_store(const std::string& folder, Host host);
[[nodiscard]] std::unique_ptr<SqlClient> open_sqlite(const std::string& file);

}  // namespace waybill::e2e
