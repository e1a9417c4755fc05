// Where a shop keeps its orders and its points. A test program is linked with exactly one of
// sqlite_store.cpp, postgres_store.cpp …: the tests are the same for every database.
#pragma once

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
  [[nodiscard]] virtual std::unique_ptr<SqlClient> open(const std::string& database) const = 0;
  // The command line that runs SQL from its standard input with the database's own client program.
  [[nodiscard]] virtual std::string client_command(const std::string& database) const = 0;
  // Exactly the eight columns, as somebody else may have made them.
  [[nodiscard]] virtual std::string eight_column_table() const = 0;

  // Of servers only: SIGKILL, and a start on the same port.
  virtual void kill_server() = 0;
  virtual void start_server() = 0;
};

// **Ownership**: `folder` outlives the store.
[[nodiscard]] std::unique_ptr<ShopStore> make_shop_store(const std::string& folder, Host host);
[[nodiscard]] std::unique_ptr<SqlClient> open_sqlite(const std::string& file);

}  // namespace waybill::e2e
