#include <cstdlib>

#include "database.hpp"
#include "waybill/drivers/mariadb.hpp"

namespace order_points {
namespace {

[[noreturn]] void fail(MYSQL* database, std::string_view what) {
  throw std::runtime_error(std::string(what) + ": " + mysql_error(database));
}

}  // namespace

template <>
Database<MYSQL*> open_database<MYSQL*>(const std::string& url, OpenAs how) {
  const auto address = waybill::mariadb::parse_url(url);
  if (!address) throw std::runtime_error(address.error().to_string());
  Database<MYSQL*> database(mysql_init(nullptr));
  MYSQL* const handle = database.get();
  mysql_optionsv(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (!mysql_real_connect(handle, address->host.c_str(), address->user.c_str(),
                          address->password ? address->password->c_str() : nullptr,
                          address->database.c_str(), address->port, nullptr,
                          CLIENT_MULTI_STATEMENTS))
    fail(handle, "cannot connect");
  if (how == OpenAs::read_only) run_sql(handle, "SET SESSION TRANSACTION READ ONLY");
  return database;
}

// Never in the middle of a transaction, which would be lost without a word.
void reconnect_if_lost(MYSQL* database) {
  if (mysql_get_socket(database) != MARIADB_INVALID_SOCKET) return;
  my_bool reconnect = 1;
  mysql_optionsv(database, MYSQL_OPT_RECONNECT, &reconnect);
  mysql_ping(database);
  reconnect = 0;
  mysql_optionsv(database, MYSQL_OPT_RECONNECT, &reconnect);
}

void run_sql(MYSQL* database, const std::string& sql) {
  int more = mysql_real_query(database, sql.data(), sql.size());
  for (; more == 0; more = mysql_next_result(database))
    mysql_free_result(mysql_store_result(database));
  if (more > 0) fail(database, "cannot run SQL");
}

MariadbQuery& MariadbQuery::bind(std::string_view text) {
  std::string escaped(2 * text.size() + 1, '\0');
  escaped.resize(mysql_real_escape_string(database_, escaped.data(), text.data(), text.size()));
  return put("'" + escaped + "'");
}

MariadbQuery& MariadbQuery::bind(std::int64_t number) {
  return put(std::to_string(number));
}

MariadbQuery& MariadbQuery::put(const std::string& literal) {
  const std::size_t place = sql_.find('?', bound_to_);
  if (place == std::string::npos) throw std::logic_error("more values than places");
  sql_.replace(place, 1, literal);
  bound_to_ = place + literal.size();
  return *this;
}

bool MariadbQuery::step() {
  if (!has_run_) {
    if (mysql_real_query(database_, sql_.data(), sql_.size()) != 0)
      fail(database_, "cannot run a statement");
    result_.reset(mysql_store_result(database_));
    affected_ = static_cast<std::int64_t>(mysql_affected_rows(database_));
    has_run_ = true;
  }
  row_ = result_ ? mysql_fetch_row(result_.get()) : nullptr;
  return row_ != nullptr;
}

std::int64_t MariadbQuery::number(int column) const {
  return row_[column] != nullptr ? std::atoll(row_[column]) : 0;
}

std::string MariadbQuery::text(int column) const {
  const auto at = static_cast<std::size_t>(column);
  if (row_[at] == nullptr) return {};
  return {row_[at], mysql_fetch_lengths(result_.get())[at]};
}

}  // namespace order_points
