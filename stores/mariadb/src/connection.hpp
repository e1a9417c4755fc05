// A connection of this store: its statements with the message table's name filled in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "waybill/drivers/mariadb.hpp"
#include "waybill/message_state.hpp"
#include "waybill/stores/mariadb.hpp"

namespace waybill::mariadb {

// What a message table has of what the statements would use. A table that somebody else made may
// call its indexes otherwise, or have none: the optimizer is then left to itself.
struct TableShape {
  bool has_headers = true;
  std::string by_id;  // FORCE INDEX (…), or empty
  std::string by_identity;
  std::string by_fresh;
  std::string by_overdue;
};

class Connection {
 public:
  // Throws Failure with a hint for what is wrong with the server or the table's name.
  explicit Connection(const Options& options);

  [[nodiscard]] Database& database() { return database_; }
  // The statement's text is a constant: its address is the cache's key.
  [[nodiscard]] const std::string& sql(std::string_view constant) {
    return sql(constant, MessageState::INIT, Cause::acked, false);
  }
  // The same for a statement of an arrow.
  [[nodiscard]] const std::string& sql(std::string_view constant, MessageState from, Cause cause,
                                       bool fenced);

  Rows read(std::string_view constant, const Parameters& parameters = {}) {
    return database_.read(sql(constant), parameters);
  }
  Rows write(std::string_view constant, const Parameters& parameters = {}) {
    return database_.write(sql(constant), parameters);
  }

  [[nodiscard]] const std::string& table() const { return table_; }
  void set_shape(TableShape shape) { shape_ = std::move(shape); }

 private:
  using Key = std::tuple<const char*, MessageState, Cause, bool>;

  Database database_;
  const std::string table_;
  TableShape shape_;
  std::map<Key, std::string> statements_;
};

}  // namespace waybill::mariadb
