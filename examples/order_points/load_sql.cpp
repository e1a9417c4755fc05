// Orders placed by plain SQL through the command-line tools sqlite3, psql and mariadb: no library,
// two INSERTs in one transaction. Any language can write messages this way.
#include <stdio.h>
#include <sys/wait.h>

#include <memory>
#include <stdexcept>
#include <thread>

#include "load.hpp"
#include "waybill/drivers/mariadb.hpp"

namespace order_points {
namespace {
using std::chrono::steady_clock;

// What differs between the tools.
struct Tool {
  const char* name;
  const char* begin;
  const char* milliseconds_now;
  const char* exists;   // in its output when the order or message is there already
  const char* passing;  // in its output when trying again may help
};
constexpr Tool kSqlite3 = {"sqlite3", "BEGIN IMMEDIATE",
                           "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
                           "UNIQUE constraint failed", "locked"};
constexpr Tool kPsql = {"psql", "BEGIN",
                        "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
                        "duplicate key value", "connection"};

// A backslash shall mean itself, as in the others.
constexpr Tool kMariadb = {
    "mariadb", "SET sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'; START TRANSACTION",
    "CAST(unix_timestamp(now(6)) * 1000 AS SIGNED)", "Duplicate entry", "server"};

const Tool& tool_for(const std::string& address) {
  return is_postgres(address) ? kPsql : is_mariadb(address) ? kMariadb : kSqlite3;
}

std::string quoted_for_shell(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) c == '\'' ? quoted += R"('\'')" : quoted += c;
  return quoted + "'";
}

std::string quoted_for_sql(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::string sql_of(const PlaceOrder& place, const std::string& table, const Tool& tool) {
  const Order& order = place.order;
  const waybill::Message message = order_placed(order);
  const std::string order_id = quoted_for_sql(order.order_id);
  return std::string(tool.begin) +
         "; INSERT INTO orders(order_id, user_id, amount_cents, points, created_at)"
         " VALUES(" +
         order_id + ", " + quoted_for_sql(order.user_id) + ", " +
         std::to_string(order.amount_cents) + ", " + std::to_string(order.points()) + ", " +
         tool.milliseconds_now + "); INSERT INTO " + table +
         "(message_type, biz_type, identifier, content) VALUES(" +
         quoted_for_sql(message.message_type) + ", " + quoted_for_sql(message.biz_type) + ", " +
         order_id + ", " + quoted_for_sql(message.content.bytes()) + "); " +
         (place.fail ? "ROLLBACK;" : "COMMIT;");
}

struct ToolResult {
  bool ok = false;
  std::string output;
};

std::string command_of(const std::string& address) {
  const std::string at = quoted_for_shell(address);
  if (is_postgres(address)) return "psql -X -q -v ON_ERROR_STOP=1 " + at + " -c ";
  if (!is_mariadb(address)) return "sqlite3 -batch -bail -cmd '.timeout 5000' " + at + " ";
  const auto url = waybill::mariadb::parse_url(address);
  if (!url) throw std::runtime_error(url.error().to_string());
  return "mariadb --no-defaults --protocol=tcp --default-character-set=utf8mb4 -h " +
         quoted_for_shell(url->host) + " -P " + std::to_string(url->port) + " -u " +
         quoted_for_shell(url->user) + " -D " + quoted_for_shell(url->database) + " -e ";
}

ToolResult run_tool(const std::string& address, const std::string& sql) {
  const std::string command = command_of(address) + quoted_for_shell(sql) + " 2>&1";
  const std::string name = tool_for(address).name;
  FILE* const pipe = ::popen(command.c_str(), "re");
  if (!pipe) throw std::runtime_error("cannot start " + name);
  ToolResult result;
  char part[512];
  while (std::fgets(part, sizeof part, pipe))
    if (result.output.size() < 4096) result.output += part;
  const int status = ::pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    throw std::runtime_error(
        name + " is not installed: apt-get install sqlite3 postgresql-client mariadb-client");
  result.ok = status == 0;
  return result;
}

enum class Inserted { yes, exists, gave_up };

Inserted insert(const LoadOptions& options, const PlaceOrder& place) {
  const Tool& tool = tool_for(options.database);
  const std::string sql = sql_of(place, options.table, tool);
  const Deadline until = give_up_at(options);
  for (;;) {
    const ToolResult result = run_tool(options.database, sql);
    if (result.ok) return Inserted::yes;
    if (result.output.find(tool.exists) != std::string::npos) return Inserted::exists;
    if (result.output.find(tool.passing) == std::string::npos)
      throw std::runtime_error(std::string(tool.name) + ": " + result.output);
    if (steady_clock::now() >= until) return Inserted::gave_up;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

Customer make_sql_customer(const LoadOptions& options) {
  return {
      .place =
          [options](const PlaceOrder& place) {
            if (insert(options, place) == Inserted::gave_up) return Told::unknown;
            return place.fail ? Told::rolled_back : Told::committed;
          },
      .repeated =
          [options](const PlaceOrder& place) { return insert(options, place) == Inserted::exists; },
  };
}

}  // namespace order_points
