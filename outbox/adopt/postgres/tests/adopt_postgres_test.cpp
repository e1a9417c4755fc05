// The caller's own PGconn*, against a real server.
#include "waybill/adopt/postgres.hpp"

#include <gtest/gtest.h>

#include <string>

#include "adopted_connection_suite.hpp"
#include "postgres_shop.hpp"
#include "waybill/outbox/resolve_unknown.hpp"
#include "waybill/outbox/transaction_template.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::testing {

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, AdoptedConnection, PostgresShop);

namespace {

using Adapter = transaction_adapter<PGconn*>;
using Tx = Transaction<PGconn*>;

class AdoptPostgresTest : public ::testing::Test {
 protected:
  AdoptPostgresTest() : client(shop.options().url), connection(client.handle()) {
    shop.execute("CREATE TABLE orders (id text PRIMARY KEY)");
  }

  void create_order(const std::string& id) {
    client.query("INSERT INTO orders VALUES ('" + id + "')");
  }
  void place(Tx& tx, const std::string& id) {
    create_order(id);
    tx.add(order_placed(id));
  }
  std::string count(const std::string& table) {
    return shop.query("SELECT COUNT(*) FROM " + table).at(0);
  }
  void expect_rows(const std::string& rows) {
    EXPECT_EQ(count("orders"), rows);
    EXPECT_EQ(count("local_message"), rows);
  }

  postgres::PostgresFixture shop;
  postgres::PlainClient client;
  PGconn* connection;
  const Outbox outbox;
};

TEST_F(AdoptPostgresTest, C1_the_message_may_be_written_before_the_order) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  const auto outcome = transactions.execute([&](Tx& tx) {
    tx.add(order_placed("A"));
    create_order("A");
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  expect_rows("1");
}

TEST_F(AdoptPostgresTest, T7_a_savepoint_takes_its_rows_along_even_after_an_error) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    EXPECT_TRUE(transactions
                    .execute_nested([&](Tx& inner) {
                      place(inner, "B");
                      EXPECT_THROW(client.query("SELECT no_such_column"), std::runtime_error);
                    })
                    .rolled_back());
    place(tx, "C");
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  expect_rows("2");
}

TEST_F(AdoptPostgresTest, T9_nothing_is_added_to_an_aborted_transaction) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  const auto outcome = transactions.execute([&](Tx& tx) {
    create_order("A");
    EXPECT_THROW(create_order("A"), std::runtime_error);  // swallowed by the business code
    const Ticket ticket = tx.try_add(order_placed("A"));
    EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
    EXPECT_NE(ticket.text.find("failed"), std::string::npos) << ticket.text;
  });
  EXPECT_TRUE(outcome.rolled_back());
  expect_rows("0");
}

TEST_F(AdoptPostgresTest, T9_a_swallowed_error_after_the_message_commits_neither) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    EXPECT_THROW(create_order("A"), std::runtime_error);
  });
  EXPECT_TRUE(outcome.rolled_back()) << outcome.reason;
  expect_rows("0");
  // By hand as well: COMMIT answers ROLLBACK, without an error.
  client.query("BEGIN");
  create_order("A");
  EXPECT_THROW(create_order("A"), std::runtime_error);
  EXPECT_EQ(Adapter::commit(connection), CommitAnswer::rolled_back);
}

TEST_F(AdoptPostgresTest, T9_a_terminated_backend_leaves_no_message_alone) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  EXPECT_THROW(
      static_cast<void>(transactions.execute([&](Tx& tx) {
        create_order("A");
        shop.query("SELECT pg_terminate_backend(" + std::to_string(PQbackendPID(connection)) + ")");
        tx.add(order_placed("A"));
      })),
      std::exception);
  expect_rows("0");
  PQreset(connection);  // the driver's reconnect: no transaction is open now
  EXPECT_EQ(outbox.add(connection, order_placed("A")).result, AddResult::not_in_transaction);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  expect_rows("1");
}

TEST_F(AdoptPostgresTest, C1_what_was_prepared_before_discard_all_is_prepared_anew) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  client.query("DISCARD ALL");
  // The first one is doomed, as by any error; what comes after it works.
  EXPECT_THROW(static_cast<void>(transactions.execute([&](Tx& tx) { place(tx, "B"); })),
               PostgresError);
  expect_rows("1");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "B"); }).committed());
  expect_rows("2");
}

TEST_F(AdoptPostgresTest, I1_an_insert_with_its_begin_survives_discard_all) {
  const std::vector<Value> values = {std::string_view("A")};
  Adapter::Kept kept;
  for (int round = 0; round < 2; ++round) {
    const Statement statement{"INSERT INTO orders VALUES ($1)", values};
    EXPECT_EQ(Adapter::begin_and_insert(connection, statement, kept).rows, 1U);
    EXPECT_EQ(Adapter::status(connection), TransactionStatus::open);
    Adapter::rollback(connection);
    client.query("DISCARD ALL");
  }
}

TEST_F(AdoptPostgresTest, T9_the_rendered_statements_refuse_outside_a_transaction) {
  const Rendered one = outbox.render(Dialect::postgres, order_placed("A"));
  const Rendered two = outbox.render(Dialect::postgres, orders_placed({"B", "C"}));
  const auto values = one.values(), more_values = two.values();
  EXPECT_EQ(Adapter::insert(connection, {one.sql, values}).rows, 0U);
  EXPECT_TRUE(Adapter::select(connection, {two.sql, more_values}).empty());
  client.query("BEGIN");
  create_order("A");
  EXPECT_EQ(Adapter::insert(connection, {one.sql, values}).rows, 1U);
  EXPECT_EQ(Adapter::select(connection, {two.sql, more_values}).size(), 2U);
  client.query("COMMIT");
  EXPECT_EQ(count("local_message"), "3");
}

// The order service's connection goes through a gate that cuts at COMMIT.
class CommitUnknownTest : public AdoptPostgresTest {
 protected:
  CommitUnknownTest()
      : gate("127.0.0.1", port_of(shop.options().url)),
        gated(with_port(shop.options().url, gate.port())),
        broken(gated.handle()) {}

  static std::uint16_t port_of(const std::string& url) {
    const std::size_t colon = url.rfind(':');
    return static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1)));
  }
  static std::string with_port(const std::string& url, std::uint16_t port) {
    const std::size_t colon = url.rfind(':');
    return url.substr(0, colon + 1) + std::to_string(port) + url.substr(url.find('/', colon));
  }

  AddedMessage place_and_lose(GateAction action) {
    TransactionTemplate<PGconn*> transactions(broken, outbox);
    const auto outcome = transactions.execute([&](Tx& tx) {
      gated.query("INSERT INTO orders VALUES ('A')");
      tx.add(order_placed("A"));
      gate.arm("COMMIT", action);
    });
    EXPECT_TRUE(gate.has_acted());
    EXPECT_TRUE(outcome.unknown()) << outcome.reason;
    return outcome.added.empty() ? AddedMessage{} : outcome.added.front();
  }
  CommitAnswer resolve(const AddedMessage& message, Millis wait = Millis(2000)) {
    return resolve_unknown(connection, outbox, message, std::chrono::steady_clock::now() + wait);
  }

  TcpGate gate;
  postgres::PlainClient gated;
  PGconn* broken;
};

TEST_F(CommitUnknownTest, T6_cut_before_the_server_saw_commit) {
  const AddedMessage message = place_and_lose(GateAction::cut_before);
  EXPECT_EQ(resolve(message), CommitAnswer::rolled_back);
  expect_rows("0");
  // Nothing remains: the same request goes through.
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  expect_rows("1");
}

TEST_F(CommitUnknownTest, T6_cut_after_the_server_committed) {
  const AddedMessage message = place_and_lose(GateAction::cut_after);
  EXPECT_EQ(resolve(message), CommitAnswer::committed);
  expect_rows("1");
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  static_cast<void>(transactions.execute(
      [&](Tx& tx) { EXPECT_EQ(tx.try_add(order_placed("A")).result, AddResult::duplicate); }));
  expect_rows("1");
}

TEST_F(CommitUnknownTest, T6_the_resolver_keeps_its_deadline_while_the_old_backend_lives) {
  client.query("BEGIN");
  const Ticket ticket = outbox.add(connection, order_placed("A"));
  ASSERT_EQ(ticket.result, AddResult::added);
  const AddedMessage message{ticket.id, {"order", "order.placed", "A"}, ticket.transaction_id};
  postgres::PlainClient fresh(shop.options().url);
  PGconn* handle = fresh.handle();
  const Steady started = std::chrono::steady_clock::now();
  EXPECT_EQ(resolve_unknown(handle, outbox, message, started + Millis(200)), CommitAnswer::unknown);
  EXPECT_LT(std::chrono::steady_clock::now() - started, Millis(1000));
  client.query("COMMIT");
  EXPECT_EQ(resolve_unknown(handle, outbox, message, started + Millis(5000)),
            CommitAnswer::committed);
}

}  // namespace
}  // namespace waybill::testing
