// The caller's own MYSQL*, against a real server.
#include "waybill/adopt/mariadb.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "adopted_connection_suite.hpp"
#include "mariadb_shop.hpp"
#include "waybill/outbox/resolve_unknown.hpp"
#include "waybill/testing/must.hpp"
#include "waybill/testing/server.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::testing {

INSTANTIATE_TYPED_TEST_SUITE_P(Mariadb, AdoptedConnection, MariadbShop);

namespace {

using Adapter = transaction_adapter<MYSQL*>;
using Tx = Transaction<MYSQL*>;
using std::chrono::steady_clock;

class AdoptMariadbTest : public ::testing::Test {
 protected:
  void create_order(const std::string& id) {
    client.execute("INSERT INTO orders VALUES ('" + id + "')");
  }
  void place(Tx& tx, const std::string& id) {
    create_order(id);
    tx.add(order_placed(id));
  }
  void expect_rows(int rows) {
    EXPECT_EQ(shop.count("orders"), rows);
    EXPECT_EQ(shop.count("local_message"), rows);
  }
  static bool says(const Ticket& ticket, const std::string& part) {
    return ticket.text.find(part) != std::string::npos;
  }

  // Two transactions wait for each other until the server rolls the smaller one, the caller's,
  // back.
  void run_into_a_deadlock() {
    shop.other.execute("START TRANSACTION");
    shop.other.execute("INSERT INTO stock SELECT CONCAT('more ', seq), 0 FROM seq_1_to_100");
    shop.other.execute("UPDATE stock SET n = n + 1 WHERE id = 'b'");
    client.execute("UPDATE stock SET n = n + 1 WHERE id = 'a'");
    std::thread waiting([&] { shop.other.execute("UPDATE stock SET n = n + 1 WHERE id = 'a'"); });
    const auto deadline = steady_clock::now() + std::chrono::seconds(10);
    while (shop.count("information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") == 0 &&
           steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_THROW(client.execute("UPDATE stock SET n = n + 1 WHERE id = 'b'"), std::runtime_error);
    EXPECT_EQ(mysql_errno(connection), 1213U);
    waiting.join();
    shop.other.execute("ROLLBACK");
  }
  void stock_up() {
    client.execute("CREATE TABLE stock (id varchar(16) PRIMARY KEY, n int)");
    client.execute("INSERT INTO stock VALUES ('a', 0), ('b', 0)");
  }

  MariadbShop shop;
  MariadbClient& client = shop.caller;
  MYSQL*& connection = client.handle();
  const Outbox outbox;
  TransactionTemplate<MYSQL*> transactions{connection, outbox};
};

TEST_F(AdoptMariadbTest, C1_a_session_that_was_reset_prepares_its_insert_anew) {
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  // As a pooler does it. The number of the session stays, as it may after a restart of the server.
  const unsigned long session = mysql_thread_id(connection);
  ASSERT_EQ(mysql_reset_connection(connection), 0);
  ASSERT_EQ(mysql_thread_id(connection), session);
  client.execute("SET NAMES utf8mb4");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "B"); }).committed());
  expect_rows(2);
}

TEST_F(AdoptMariadbTest, refuses_handles_that_cannot_carry_a_transaction) {
  MYSQL* none = nullptr;
  EXPECT_THROW(static_cast<void>(outbox.add(none, order_placed("A"))), std::invalid_argument);
  const my_bool reconnects = 1;
  mysql_options(connection, MYSQL_OPT_RECONNECT, &reconnects);
  EXPECT_THROW(static_cast<void>(outbox.add(connection, order_placed("A"))), std::logic_error);
  EXPECT_THROW(static_cast<void>(transactions.execute([](Tx&) {})), std::logic_error);
}

TEST_F(AdoptMariadbTest, C1_a_session_in_autocommit_0_is_refused_with_the_way_out) {
  client.execute("SET autocommit = 0");
  create_order("A");
  const Ticket ticket = outbox.add(connection, order_placed("A"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_TRUE(says(ticket, "SET autocommit = 1")) << ticket.text;
  client.execute("ROLLBACK");
  client.execute("SET autocommit = 1");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  expect_rows(1);
}

TEST_F(AdoptMariadbTest, C3_the_times_are_utc_whatever_the_sessions_zone_is) {
  client.execute("SET time_zone = '+05:00'");
  client.execute("START TRANSACTION");
  EXPECT_EQ(outbox.add(connection, order_placed("A")).result, AddResult::added);
  client.execute("COMMIT");
  EXPECT_EQ(shop.count("local_message WHERE gmt_create = gmt_modified"
                       " AND ABS(TIMESTAMPDIFF(SECOND, gmt_create, UTC_TIMESTAMP())) < 3600"),
            1);
}

TEST_F(AdoptMariadbTest, C5_a_duplicate_is_noticed_in_an_old_snapshot_and_with_found_rows) {
  for (const unsigned long flags : {0UL, static_cast<unsigned long>(CLIENT_FOUND_ROWS)}) {
    MariadbClient old(shop.address(), "utf8mb4", flags);
    const std::string id = "A" + std::to_string(flags);
    old.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    ASSERT_TRUE(transactions.execute([&](Tx& tx) { place(tx, id); }).committed());
    EXPECT_TRUE(old.query("SELECT id FROM local_message WHERE identifier = '" + id + "'").empty());
    EXPECT_EQ(outbox.add(old.handle(), order_placed(id)).result, AddResult::duplicate);
    const auto tickets = outbox.add(old.handle(), orders_placed({"B" + id, id}));
    EXPECT_EQ(results_of(tickets), (std::vector{AddResult::added, AddResult::duplicate}));
    old.execute("ROLLBACK");
  }
  expect_rows(2);
}

TEST_F(AdoptMariadbTest, C5_waiting_for_the_end_of_the_same_request_keeps_no_other_message_out) {
  shop.other.execute("START TRANSACTION");
  ASSERT_EQ(outbox.add(shop.other.handle(), order_placed("A")).result, AddResult::added);
  Ticket repeated;
  std::thread waiting([&] {
    static_cast<void>(
        transactions.execute([&](Tx& tx) { repeated = tx.try_add(order_placed("A")); }));
  });
  MariadbClient third(shop.address());
  while (shop.count("information_schema.processlist WHERE state LIKE 'Update%' AND id = " +
                    std::to_string(mysql_thread_id(connection))) == 0) {
    std::this_thread::yield();
  }
  third.execute("SET innodb_lock_wait_timeout = 5");
  third.execute("START TRANSACTION");
  EXPECT_EQ(outbox.add(third.handle(), order_placed("B")).result, AddResult::added);
  EXPECT_EQ(outbox.add(third.handle(), orders_placed({"C", "D"})).at(1).result, AddResult::added);
  third.execute("COMMIT");
  shop.other.execute("COMMIT");
  waiting.join();
  EXPECT_EQ(repeated.result, AddResult::duplicate);
  EXPECT_EQ(shop.count("local_message"), 4);
}

TEST_F(AdoptMariadbTest, C6_content_over_the_columns_limit_is_an_error_in_every_sql_mode) {
  client.execute("ALTER TABLE local_message MODIFY content text NOT NULL");
  const std::string fits(65'535, 'x'), over(65'536, 'x');
  for (const std::string mode : {"", "STRICT_TRANS_TABLES", "ANSI"}) {
    client.execute("SET sql_mode = '" + mode + "'");
    client.execute("START TRANSACTION");
    EXPECT_EQ(outbox.add(connection, order_placed("fits" + mode, fits)).result, AddResult::added);
    EXPECT_THROW(static_cast<void>(outbox.add(connection, order_placed("over", over))),
                 MariadbError);
    EXPECT_THROW(static_cast<void>(outbox.add(connection, std::vector{order_placed("over", over)})),
                 MariadbError);
    client.execute("COMMIT");
    EXPECT_EQ(client.query("SELECT @@sql_mode LIKE '%ALL_TABLES%'").at(0), "0");
  }
  EXPECT_EQ(shop.count("local_message WHERE LENGTH(content) = 65535"), 3);
  EXPECT_EQ(shop.count("local_message"), 3);
}

TEST_F(AdoptMariadbTest, C6_what_three_bytes_cannot_carry_is_an_error) {
  MariadbClient narrow(shop.address(), "utf8mb3");
  narrow.execute("START TRANSACTION");
  const Ticket ticket = outbox.add(narrow.handle(), order_placed("A"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_TRUE(says(ticket, "SET NAMES utf8mb4")) << ticket.text;
  narrow.execute("COMMIT");

  client.execute("ALTER TABLE local_message MODIFY content longtext CHARACTER SET utf8mb3");
  client.execute("SET sql_mode = ''");
  client.execute("START TRANSACTION");
  EXPECT_THROW(static_cast<void>(outbox.add(connection, order_placed("A", "\xF0\x9F\x8E\x81"))),
               MariadbError);
  EXPECT_EQ(outbox.add(connection, order_placed("B", "\xE7\xA7\xAF")).result, AddResult::added);
  client.execute("COMMIT");
  EXPECT_EQ(shop.count("local_message"), 1);
}

TEST_F(AdoptMariadbTest, C6_a_prepared_insert_asks_the_session_as_it_is_by_then) {
  client.execute("ALTER TABLE local_message MODIFY content text NOT NULL");
  Adapter::Kept kept;
  const auto add = [&](const std::string& id, const std::string& content = "{}") {
    return outbox.add(connection, order_placed(id, content), kept);
  };
  client.execute("START TRANSACTION");
  EXPECT_EQ(add("A").result, AddResult::added);
  client.execute("SET sql_mode = ''");
  EXPECT_THROW(static_cast<void>(add("over", std::string(65'536, 'x'))), MariadbError);
  for (const std::string variable : {"character_set_client", "character_set_connection"}) {
    client.execute("SET " + variable + " = latin1");
    EXPECT_EQ(add(variable).result, AddResult::not_in_transaction);
    client.execute("SET NAMES utf8mb4");
  }
  EXPECT_EQ(add("B").result, AddResult::added);
  client.execute("COMMIT");
  EXPECT_EQ(add("C").result, AddResult::not_in_transaction);
  EXPECT_EQ(shop.count("local_message"), 2);
}

TEST_F(AdoptMariadbTest, T2_the_drivers_own_error_passes_through) {
  client.execute("DROP TABLE local_message");
  client.execute("START TRANSACTION");
  try {
    static_cast<void>(outbox.add(connection, order_placed("A")));
    FAIL() << "nothing thrown";
  } catch (const MariadbError& error) {
    EXPECT_EQ(error.code(), 1146U);
    EXPECT_TRUE(std::string_view(error.what()).ends_with("(run: waybill schema apply)"))
        << error.what();
  }
  create_order("A");
  client.execute("COMMIT");
  EXPECT_EQ(shop.count("orders"), 1);
}

TEST_F(AdoptMariadbTest, T9_after_a_swallowed_deadlock_nothing_is_added) {
  stock_up();
  client.execute("START TRANSACTION");
  create_order("A");
  run_into_a_deadlock();
  // The client library still believes in the transaction.
  EXPECT_EQ(Adapter::status(connection), TransactionStatus::unknown);
  const Ticket ticket = outbox.add(connection, order_placed("A"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_TRUE(says(ticket, "deadlock")) << ticket.text;
  EXPECT_EQ(outbox.add(connection, orders_placed({"A", "B"})).at(1).result,
            AddResult::not_in_transaction);
  client.execute("COMMIT");
  expect_rows(0);
}

TEST_F(AdoptMariadbTest, T9_a_template_does_not_believe_in_a_transaction_that_a_deadlock_ended) {
  stock_up();
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    run_into_a_deadlock();
  });
  EXPECT_TRUE(outcome.unknown()) << outcome.reason;
  ASSERT_EQ(outcome.added.size(), 1U);
  EXPECT_EQ(resolve_unknown(connection, outbox, outcome.added[0], steady_clock::now()),
            CommitAnswer::rolled_back);
  expect_rows(0);
  EXPECT_THROW(static_cast<void>(transactions.execute([&](Tx& tx) {
                 create_order("A");
                 run_into_a_deadlock();
                 tx.add(order_placed("A"));
               })),
               AddRefused);
  expect_rows(0);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  expect_rows(1);
}

TEST_F(AdoptMariadbTest, T9_a_deadlock_in_the_insert_itself_is_told_with_its_cause) {
  // Each has added what the other is about to add.
  shop.other.execute("START TRANSACTION");
  ASSERT_EQ(outbox.add(shop.other.handle(), order_placed("A")).result, AddResult::added);
  shop.other.execute("INSERT INTO orders SELECT seq FROM seq_1_to_100");
  client.execute("START TRANSACTION");
  ASSERT_EQ(outbox.add(connection, order_placed("B")).result, AddResult::added);
  std::thread waiting([&] {
    EXPECT_NO_THROW(static_cast<void>(outbox.add(shop.other.handle(), order_placed("B"))));
  });
  const auto deadline = steady_clock::now() + std::chrono::seconds(10);
  while (shop.count("information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") == 0 &&
         steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  const Ticket ticket = outbox.add(connection, order_placed("A"));
  waiting.join();
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_TRUE(says(ticket, "Deadlock found")) << ticket.text;
  EXPECT_EQ(outbox.add(connection, order_placed("C")).result, AddResult::not_in_transaction);
  client.execute("COMMIT");
  shop.other.execute("COMMIT");
  EXPECT_EQ(shop.count("local_message WHERE identifier = 'C'"), 0);
  EXPECT_EQ(shop.count("local_message"), 2);
}

TEST_F(AdoptMariadbTest, T9_ddl_commits_silently_and_nothing_is_added_after_it) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    create_order("A");
    client.execute("CREATE TABLE archive (id int)");
    const Ticket ticket = tx.try_add(order_placed("A"));
    EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
    EXPECT_TRUE(says(ticket, "no open transaction")) << ticket.text;
  });
  EXPECT_TRUE(outcome.unknown()) << "the order is there, so it is not rolled back";
  EXPECT_EQ(shop.count("local_message"), 0);
}

TEST_F(AdoptMariadbTest, T9_a_message_before_ddl_commits_with_its_order_and_the_resolver_knows) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    client.execute("CREATE TABLE archive (id int)");
  });
  ASSERT_TRUE(outcome.unknown()) << outcome.reason;
  EXPECT_EQ(resolve_unknown(connection, outbox, outcome.added.at(0), steady_clock::now()),
            CommitAnswer::committed);
  expect_rows(1);
}

TEST_F(AdoptMariadbTest, T9_a_killed_connection_leaves_no_message_alone) {
  EXPECT_THROW(static_cast<void>(transactions.execute([&](Tx& tx) {
                 create_order("A");
                 shop.other.execute("KILL " + std::to_string(mysql_thread_id(connection)));
                 tx.add(order_placed("A"));
               })),
               MariadbError);
  EXPECT_EQ(outbox.add(connection, order_placed("A")).result, AddResult::not_in_transaction);
  EXPECT_THROW(static_cast<void>(transactions.execute([](Tx&) {})), MariadbError);
  expect_rows(0);
}

TEST_F(AdoptMariadbTest, T9_the_rendered_statements_refuse_outside_a_transaction) {
  const Rendered one = outbox.render(Dialect::mariadb, order_placed("A"));
  const Rendered two = outbox.render(Dialect::mariadb, orders_placed({"B", "C"}));
  const auto values = one.values(), more_values = two.values();
  EXPECT_THROW(Adapter::insert(connection, {one.sql, values}), InsertRefused);
  EXPECT_THROW(Adapter::select(connection, {two.sql, more_values}), InsertRefused);
  client.execute("START TRANSACTION");
  EXPECT_EQ(Adapter::insert(connection, {one.sql, values}).rows, 1U);
  EXPECT_THROW(Adapter::insert(connection, {one.sql, values}), InsertRefused);
  EXPECT_EQ(Adapter::select(connection, {two.sql, more_values}).size(), 2U);
  client.execute("COMMIT");
  EXPECT_EQ(shop.count("local_message"), 3);
}

// The order service's connection goes through a gate that cuts at COMMIT.
class MariadbCommitUnknownTest : public AdoptMariadbTest {
 protected:
  MariadbCommitUnknownTest()
      : gate(shop.address().host, shop.address().port), gated(through_gate()) {}

  mariadb::Address through_gate() const {
    mariadb::Address address = shop.address();
    address.port = gate.port();
    return address;
  }
  AddedMessage place_and_lose(GateAction action) {
    TransactionTemplate<MYSQL*> gated_transactions(gated.handle(), outbox);
    const auto outcome = gated_transactions.execute([&](Tx& tx) {
      gated.execute("INSERT INTO orders VALUES ('A')");
      tx.add(order_placed("A"));
      gate.arm("COMMIT", action);
    });
    EXPECT_TRUE(gate.has_acted());
    EXPECT_TRUE(outcome.unknown()) << outcome.reason;
    return outcome.added.empty() ? AddedMessage{} : outcome.added.front();
  }
  CommitAnswer resolve(const AddedMessage& message, Millis wait = Millis(5000)) {
    return resolve_unknown(connection, outbox, message, steady_clock::now() + wait);
  }

  TcpGate gate;
  MariadbClient gated;
};

TEST_F(MariadbCommitUnknownTest, T6_cut_before_the_server_saw_commit) {
  const AddedMessage message = place_and_lose(GateAction::cut_before);
  EXPECT_EQ(resolve(message), CommitAnswer::rolled_back);
  expect_rows(0);
  // Nothing remains: the same request goes through.
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  expect_rows(1);
  EXPECT_EQ(resolve(message), CommitAnswer::rolled_back) << "the new row is not the lost one";
}

TEST_F(MariadbCommitUnknownTest, T6_cut_after_the_server_committed) {
  const AddedMessage message = place_and_lose(GateAction::cut_after);
  EXPECT_EQ(resolve(message), CommitAnswer::committed);
  expect_rows(1);
  static_cast<void>(transactions.execute(
      [&](Tx& tx) { EXPECT_EQ(tx.try_add(order_placed("A")).result, AddResult::duplicate); }));
  expect_rows(1);
}

TEST_F(MariadbCommitUnknownTest, T6_the_resolver_keeps_its_deadline_while_the_old_session_lives) {
  client.execute("START TRANSACTION");
  const Ticket ticket = outbox.add(connection, order_placed("A"));
  ASSERT_EQ(ticket.result, AddResult::added);
  const AddedMessage message{ticket.id, {"order", "order.placed", "A"}, 0};
  MYSQL*& fresh = shop.other.handle();
  const auto started = steady_clock::now();
  EXPECT_EQ(resolve_unknown(fresh, outbox, message, started + Millis(200)), CommitAnswer::unknown);
  EXPECT_LT(steady_clock::now() - started, Millis(2000));
  // It held nothing either: the old transaction goes on.
  client.execute("UPDATE local_message SET state = 'SENT'");
  client.execute("COMMIT");
  EXPECT_EQ(resolve_unknown(fresh, outbox, message, started + Millis(5000)),
            CommitAnswer::committed);
}

// A server of its own, whose backup lock keeps every COMMIT waiting.
class MariadbBlockedCommitTest : public ::testing::Test {
 protected:
  MariadbBlockedCommitTest() {
    must(mariadb::apply_schema({.url = server.url()}, mariadb::SchemaPart::producer));
    admin.execute("CREATE TABLE orders (id varchar(64) PRIMARY KEY)");
  }

  // Places order "A", and does `what` while its COMMIT waits.
  Outcome<void> place_and(const std::function<void()>& what) {
    std::jthread meanwhile;
    auto outcome = transactions.execute([&](Tx& tx) {
      client.execute("INSERT INTO orders VALUES ('A')");
      tx.add(order_placed("A"));
      admin.execute("FLUSH TABLES WITH READ LOCK");
      meanwhile = std::jthread([&] {
        const auto deadline = steady_clock::now() + std::chrono::seconds(10);
        while (admin
                   .query("SELECT ID FROM information_schema.PROCESSLIST"
                          " WHERE STATE = 'Waiting for backup lock'")
                   .empty()) {
          if (steady_clock::now() > deadline) break;
          std::this_thread::sleep_for(Millis(5));
        }
        what();
        admin.execute("UNLOCK TABLES");
      });
    });
    return outcome;
  }
  void kill(const std::string& what) {
    admin.execute("KILL " + what + " " + std::to_string(mysql_thread_id(client.handle())));
  }
  int rows() {
    return std::stoi(
        admin.query("SELECT (SELECT COUNT(*) FROM orders) + (SELECT COUNT(*) FROM local_message)")
            .at(0));
  }

  const Server server = Server::own(WAYBILL_SERVERS_TOOLS, "mariadb",
                                    "/var/tmp/waybill-commit-" + std::to_string(::getpid()));
  MariadbClient admin{mariadb::parse_url(server.url()).value()};
  MariadbClient client{mariadb::parse_url(server.url()).value()};
  const Outbox outbox;
  TransactionTemplate<MYSQL*> transactions{client.handle(), outbox};
};

TEST_F(MariadbBlockedCommitTest,
       T6_what_interrupts_a_commit_leaves_it_unknown_until_it_is_settled) {
  const auto settle = [&](const Outcome<void>& outcome) {
    ASSERT_TRUE(outcome.unknown()) << outcome.reason;
    EXPECT_EQ(resolve_unknown(admin.handle(), outbox, outcome.added.at(0),
                              steady_clock::now() + Millis(5000)),
              CommitAnswer::rolled_back);
    EXPECT_EQ(rows(), 0);
  };
  settle(place_and([&] { kill("QUERY"); }));
  client.execute("SET SESSION max_statement_time = 0.3");
  settle(place_and([&] { std::this_thread::sleep_for(Millis(600)); }));
  client.execute("SET SESSION max_statement_time = 0");
  EXPECT_TRUE(place_and([] {}).committed()) << "the same connection goes on";
  EXPECT_EQ(rows(), 2);
  admin.execute("DELETE FROM orders");
  admin.execute("DELETE FROM local_message");
  settle(place_and([&] { kill("CONNECTION"); }));
}

}  // namespace
}  // namespace waybill::testing
