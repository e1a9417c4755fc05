// A connection of this store: its statements with the message table's name filled in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "waybill/drivers/postgres.hpp"
#include "waybill/message_state.hpp"
#include "waybill/stores/postgres.hpp"

namespace waybill::postgres {

enum class Planner {
  by_index,  // every statement has its index, whatever the statistics say
  free,      // for operators' statements with any filter
};

class Connection {
 public:
  // Throws Failure with a hint for what is wrong with the server or the table's name.
  Connection(const Options& options, Planner planner);

  [[nodiscard]] Database& database() { return database_; }
  // The statement's text is a constant: its address is the cache's key.
  [[nodiscard]] const std::string& sql(std::string_view constant);
  // The same for a statement with {from}, {to} and {fence}.
  [[nodiscard]] const std::string& sql(std::string_view constant, MessageState from,
                                       MessageState to, bool fenced);

  Rows read(std::string_view constant, Parameters parameters = {}) {
    return database_.read(sql(constant), std::move(parameters));
  }
  Rows write(std::string_view constant, Parameters parameters = {}) {
    return database_.write(sql(constant), std::move(parameters));
  }
  [[nodiscard]] Call call(std::string_view constant, Parameters parameters = {}) {
    return {&sql(constant), std::move(parameters)};
  }

  [[nodiscard]] const std::string& table() const { return table_; }
  void set_has_headers(bool has_headers) { has_headers_ = has_headers; }

 private:
  using Key = std::tuple<const char*, MessageState, MessageState, bool>;

  Database database_;
  const std::string table_;
  bool has_headers_ = true;
  std::map<Key, std::string> statements_;
};

}  // namespace waybill::postgres
