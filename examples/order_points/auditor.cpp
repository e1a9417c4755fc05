// The auditor: joins the databases of both services and says exactly what is wrong.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "database.hpp"

namespace order_points {
namespace {
namespace json = boost::json;

struct AuditOptions {
  std::string orders;
  std::string points;
  std::string table = "local_message";
  std::string told;
  std::vector<std::string> held_up;
  double wait_seconds = 0;
  bool as_json = false;
};

struct Audit {
  std::int64_t orders = 0, grants = 0;
  std::int64_t missing = 0;     // orders without a grant
  std::int64_t doubled = 0;     // orders with more than one grant
  std::int64_t phantom = 0;     // grants without a committed order
  std::int64_t wrong = 0;       // grants of another amount or to another user
  std::int64_t unfinished = 0;  // message rows that are not SUCCESS
  std::int64_t untrue = 0;      // answers to clients that the database contradicts
  std::map<std::string, std::int64_t> states;
  std::int64_t p50_ms = 0, p99_ms = 0;  // from the order's INSERT to the grant's

  [[nodiscard]] bool finished() const { return missing == 0 && unfinished == 0; }
  [[nodiscard]] bool clean() const {
    return finished() && doubled == 0 && phantom == 0 && wrong == 0 && untrue == 0;
  }
};

std::int64_t count(sqlite3* database, const std::string& sql) {
  SqliteQuery query(database, sql);
  return query.step() ? query.number(0) : 0;
}

// What the audit reads of each database.
struct Table {
  const char* columns;
  const char* from;
};
constexpr Table kOrders = {"order_id, user_id, points, created_at", "orders"};
constexpr Table kGrants = {"order_id, user_id, points, granted_at", "grants"};

void attach(sqlite3* audit, const std::string& file, const std::string& name) {
  SqliteQuery query(audit, "ATTACH ? AS " + name);
  query.bind(file).step();
}

// A server's table as it is in one snapshot, copied beside the other side's.
template <class Handle>
void copy_table(Handle server, sqlite3* audit, const std::string& name, const Table& table) {
  const std::string to = name + "." + table.from;
  run_sql(audit, "CREATE TABLE " + to + "(" + table.columns + ")");
  Query<Handle> rows(server, std::string("SELECT ") + table.columns + " FROM " + table.from);
  while (rows.step()) {
    SqliteQuery insert(audit, "INSERT INTO " + to + " VALUES(?, ?, ?, ?)");
    const std::string order_id = rows.text(0);
    const std::string user_id = rows.text(1);
    insert.bind(order_id).bind(user_id).bind(rows.number(2)).bind(rows.number(3)).step();
  }
}

// The message table as far as the audit looks at it.
template <class Handle>
void copy_states(Handle server, sqlite3* audit, const std::string& table) {
  Query<Handle> exists(
      server, std::string("SELECT 1 FROM information_schema.tables WHERE table_schema = ") +
                  (std::is_same_v<Handle, PGconn*> ? "current_schema()" : "DATABASE()") +
                  " AND table_name = ?");
  if (!exists.bind(table).step()) return;
  run_sql(audit, "CREATE TABLE o.\"" + table + "\"(state)");
  Query<Handle> rows(server, "SELECT state FROM " + table);
  while (rows.step()) {
    SqliteQuery insert(audit, "INSERT INTO o.\"" + table + "\" VALUES(?)");
    const std::string state = rows.text(0);
    insert.bind(state).step();
  }
}

void begin_snapshot(PGconn* server) {
  run_sql(server, "BEGIN ISOLATION LEVEL REPEATABLE READ");
}
void begin_snapshot(MYSQL* server) {
  run_sql(server, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

template <class Handle>
void copy(const AuditOptions& options, const std::string& address, sqlite3* audit,
          const std::string& name, const Table& table) {
  attach(audit, ":memory:", name);
  const auto server = open_database<Handle>(address, OpenAs::read_only);
  begin_snapshot(server.get());
  run_sql(audit, "BEGIN");
  copy_table(server.get(), audit, name, table);
  if (table.from == kOrders.from) copy_states(server.get(), audit, options.table);
  run_sql(audit, "COMMIT");
}

// Files are attached, servers' tables copied from a read-only snapshot; then nothing can be
// written: the audit cannot change what it judges.
Database<sqlite3*> open_both(const AuditOptions& options) {
  Database<sqlite3*> audit = open_database<sqlite3*>(":memory:", OpenAs::created_if_missing);
  const auto add = [&](const std::string& address, const std::string& name, const Table& table) {
    with_kind_of(address, [&](auto handle) {
      if constexpr (std::is_same_v<decltype(handle), sqlite3*>) {
        static_cast<void>(open_database<sqlite3*>(address, OpenAs::read_only));
        attach(audit.get(), address, name);
      } else {
        copy<decltype(handle)>(options, address, audit.get(), name, table);
      }
    });
  };
  add(options.orders, "o", kOrders);
  add(options.points, "p", kGrants);
  run_sql(audit.get(), "PRAGMA query_only = ON");
  return audit;
}

void count_messages(sqlite3* database, const std::string& table, Audit& audit) {
  SqliteQuery exists(database, "SELECT 1 FROM o.sqlite_schema WHERE type = 'table' AND name = ?");
  if (!exists.bind(table).step()) return;
  SqliteQuery states(database, "SELECT state, count(*) FROM o.\"" + table + "\" GROUP BY state");
  while (states.step()) audit.states[states.text(0)] = states.number(1);
  for (const auto& [state, rows] : audit.states)
    if (state != "SUCCESS") audit.unfinished += rows;
}

void measure_latency(sqlite3* database, const std::vector<std::string>& held_up, Audit& audit) {
  std::vector<std::int64_t> waits;
  std::string users;
  for (std::size_t i = 0; i < held_up.size(); ++i) users += i == 0 ? "?" : ", ?";
  SqliteQuery query(database,
                    "SELECT min(g.granted_at) - o.created_at FROM p.grants g"
                    " JOIN o.orders o USING (order_id) WHERE o.user_id NOT IN (" +
                        users + ") GROUP BY o.order_id ORDER BY 1");
  for (const std::string& user : held_up) query.bind(user);
  while (query.step()) waits.push_back(query.number(0));
  if (waits.empty()) return;
  const auto rank = [&](std::size_t percent) {
    return waits[std::max<std::size_t>((waits.size() * percent + 99) / 100, 1) - 1];
  };
  audit.p50_ms = rank(50);
  audit.p99_ms = rank(99);
}

// Lines of the load generator: order id, outcome, points. An order that a client was told of must
// exist; one that it was told is rolled back must not.
std::int64_t count_untrue_answers(sqlite3* database, const std::string& told) {
  std::ifstream file(told);
  if (!file) throw std::runtime_error("cannot read the answers in " + told);
  std::int64_t untrue = 0;
  std::string line, order_id, outcome;
  while (std::getline(file, line)) {
    std::istringstream(line) >> order_id >> outcome;
    SqliteQuery query(database, "SELECT 1 FROM o.orders WHERE order_id = ?");
    const bool exists = query.bind(order_id).step();
    if ((outcome == "committed" && !exists) || (outcome == "rolled_back" && exists)) ++untrue;
  }
  return untrue;
}

Audit audit_once(const AuditOptions& options) {
  const Database<sqlite3*> database = open_both(options);
  sqlite3* const both = database.get();
  Audit audit;
  run_sql(both, "BEGIN");
  audit.grants = count(both, "SELECT count(*) FROM p.grants");
  audit.orders = count(both, "SELECT count(*) FROM o.orders");
  audit.missing = count(both,
                        "SELECT count(*) FROM o.orders WHERE order_id NOT IN"
                        " (SELECT order_id FROM p.grants)");
  audit.doubled = count(both,
                        "SELECT count(*) FROM (SELECT order_id FROM p.grants"
                        " WHERE order_id IN (SELECT order_id FROM o.orders)"
                        " GROUP BY order_id HAVING count(*) > 1)");
  audit.phantom = count(both,
                        "SELECT count(*) FROM p.grants WHERE order_id NOT IN"
                        " (SELECT order_id FROM o.orders)");
  audit.wrong = count(both,
                      "SELECT count(*) FROM p.grants g JOIN o.orders o USING (order_id)"
                      " WHERE g.points <> o.points OR g.user_id <> o.user_id");
  count_messages(both, options.table, audit);
  measure_latency(both, options.held_up, audit);
  if (!options.told.empty()) audit.untrue = count_untrue_answers(both, options.told);
  return audit;
}

void print_json(const Audit& audit) {
  json::object states;
  for (const auto& [state, rows] : audit.states) states[state] = rows;
  const json::object report{
      {"orders", audit.orders},  {"grants", audit.grants},         {"missing", audit.missing},
      {"double", audit.doubled}, {"phantom", audit.phantom},       {"wrong", audit.wrong},
      {"untrue", audit.untrue},  {"unfinished", audit.unfinished}, {"states", states},
      {"p50_ms", audit.p50_ms},  {"p99_ms", audit.p99_ms},         {"clean", audit.clean()}};
  std::printf("%s\n", json::serialize(report).c_str());
}

void print_table(const Audit& audit) {
  const auto line = [](const char* name, std::int64_t value, const char* meaning) {
    std::printf("%-12s %8lld  %s\n", name, static_cast<long long>(value), meaning);
  };
  line("orders", audit.orders, "committed orders");
  line("grants", audit.grants, "grants of points");
  line("missing", audit.missing, "orders without points");
  line("double", audit.doubled, "orders with points more than once");
  line("phantom", audit.phantom, "points without a committed order");
  line("wrong", audit.wrong, "points of another amount or to another user");
  line("untrue", audit.untrue, "answers to clients that the database contradicts");
  line("unfinished", audit.unfinished, "messages that are not SUCCESS");
  for (const auto& [state, rows] : audit.states) line(("  " + state).c_str(), rows, "messages");
  line("p50", audit.p50_ms, "ms from order to points");
  line("p99", audit.p99_ms, "ms from order to points");
}

int run(const AuditOptions& options) {
  using std::chrono::steady_clock;
  const auto until = steady_clock::now() + std::chrono::duration<double>(options.wait_seconds);
  Audit audit = audit_once(options);
  while (!audit.finished() && steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    audit = audit_once(options);
  }
  options.as_json ? print_json(audit) : print_table(audit);
  return audit.clean() ? 0 : 1;
}

}  // namespace
}  // namespace order_points

int main(int argc, char** argv) {
  order_points::AuditOptions options;
  CLI::App app(
      "Joins the orders and the points databases, read-only, and says what is wrong.\n"
      "Exit code: 0 everything is right, 1 something is wrong or unfinished, 2 cannot tell.\n"
      "Example: auditor --orders orders.db --points points.db --wait 10");
  app.add_option("--orders", options.orders, "database of the order service")->required();
  app.add_option("--points", options.points, "database of the points service")->required();
  app.add_option("--table", options.table, "message table")->capture_default_str();
  app.add_option("--told", options.told, "file of the load generator with what clients were told");
  app.add_option("--held-up", options.held_up,
                 "a user whose points were held up on purpose, and are left out of p50 and p99");
  app.add_option("--wait", options.wait_seconds, "seconds to wait for everything to be finished")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_flag("--json", options.as_json, "print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return order_points::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "auditor: %s\n", error.what());
    return 2;
  }
}
