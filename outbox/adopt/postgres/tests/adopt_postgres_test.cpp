// The caller's own PGconn*, against a real server.
#include "waybill/adopt/postgres.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

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

// The server has no statistics of the table yet.
TEST_F(AdoptPostgresTest, C5_repeated_messages_are_looked_up_one_by_one) {
  shop.execute(
      "ALTER TABLE local_message SET (autovacuum_enabled = off);"
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " SELECT 'order.placed', 'order', n, '{}' FROM generate_series(1, 20000) AS n");
  std::vector<std::string> ids;
  for (int i = 1; i <= 300; ++i) ids.push_back(std::to_string(i));
  client.query("BEGIN");
  create_order("A");
  for (const Ticket& ticket : outbox.add(connection, orders_placed(ids))) {
    ASSERT_EQ(ticket.result, AddResult::duplicate);
  }
  EXPECT_LE(std::stoi(client
                          .query("SELECT seq_tup_read + idx_tup_fetch"
                                 " FROM pg_stat_xact_user_tables"
                                 " WHERE relname = 'local_message'")
                          .at(0)),
            1000);
  client.query("ROLLBACK");
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

TEST_F(AdoptPostgresTest, T2_the_drivers_own_error_passes_through_without_the_row) {
  const auto error_of_add = [&] {
    client.query("BEGIN");
    std::string text;
    try {
      static_cast<void>(outbox.add(connection, order_placed("A")));
    } catch (const PostgresError& error) {
      text = error.what();
    }
    client.query("ROLLBACK");
    return text;
  };
  shop.query("ALTER TABLE local_message ADD CONSTRAINT few CHECK (length(content) < 2)");
  const std::string refused = error_of_add();
  EXPECT_TRUE(refused.ends_with("violates check constraint \"few\"")) << refused;
  shop.query("DROP TABLE local_message");
  const std::string missing = error_of_add();
  EXPECT_TRUE(
      missing.ends_with("relation \"local_message\" does not exist (run: waybill schema apply)"))
      << missing;
}

TEST_F(AdoptPostgresTest, C1_what_was_prepared_before_discard_all_is_prepared_anew) {
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  client.query("DISCARD ALL");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "B"); }).committed());
  expect_rows("2");
  // In the middle of a transaction it dooms that one, as any error does.
  const auto forget_and_place = [&](Tx& tx) {
    place(tx, "C");
    client.query("DEALLOCATE ALL");
  };
  EXPECT_THROW(static_cast<void>(transactions.execute(forget_and_place)), PostgresError);
  expect_rows("2");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "C"); }).committed());
  expect_rows("3");
}

// So that two services whom a pooler lets onto one backend do not execute each other's.
TEST_F(AdoptPostgresTest, C1_the_name_of_a_prepared_statement_is_of_its_SQL) {
  const auto name_of = [&](const std::string& sql) {
    Adapter::Kept kept;
    Adapter::begin_and_insert(connection, {sql, {}}, kept);
    Adapter::rollback(connection);
    const std::string name = kept.names.at(sql);
    return name.substr(name.find('_', name.find('_') + 1));  // behind the number
  };
  EXPECT_EQ(name_of("INSERT INTO orders VALUES (1)"), name_of("INSERT INTO orders VALUES (1)"));
  EXPECT_NE(name_of("INSERT INTO orders VALUES (1)"), name_of("INSERT INTO orders VALUES (2)"));
}

// The template's messages go with COMMIT, in one round trip.
class InsertsWithCommitTest : public AdoptPostgresTest {
 protected:
  std::string seen_inside() { return client.query("SELECT COUNT(*) FROM local_message").at(0); }
  std::vector<std::string> identifiers() {
    return shop.query("SELECT identifier FROM local_message ORDER BY id");
  }
  static_assert(InsertsWithCommit<PGconn*>);

  TransactionTemplate<PGconn*> transactions{connection, outbox};
};

TEST_F(InsertsWithCommitTest, T1_the_message_is_written_with_commit) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    EXPECT_EQ(seen_inside(), "0");
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  expect_rows("1");
}

TEST_F(InsertsWithCommitTest, C5_a_duplicate_takes_the_order_along) {
  ASSERT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  const auto place_again = [&](Tx& tx) {
    create_order("A again");
    tx.add(order_placed("B"));
    tx.add(order_placed("A"));
  };
  try {
    static_cast<void>(transactions.execute(place_again));
    FAIL() << "committed";
  } catch (const DuplicateMessage& duplicate) {
    EXPECT_EQ(std::to_string(duplicate.ticket().id),
              shop.query("SELECT id FROM local_message WHERE identifier = 'A'").at(0));
  }
  expect_rows("1");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "B"); }).committed());
}

TEST_F(InsertsWithCommitTest, C5_one_identifier_twice_in_a_transaction_is_a_duplicate) {
  const auto place_twice = [&](Tx& tx) {
    place(tx, "A");
    tx.add(order_placed("A"));
  };
  EXPECT_THROW(static_cast<void>(transactions.execute(place_twice)), DuplicateMessage);
  expect_rows("0");
}

TEST_F(InsertsWithCommitTest, C6_what_is_no_message_is_refused_at_once) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    Message message = order_placed("A");
    message.identifier.clear();
    EXPECT_THROW(tx.add(message), AddRefused);
    place(tx, "B");
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  expect_rows("1");
}

TEST_F(InsertsWithCommitTest, T8_messages_keep_the_order_in_which_they_were_added) {
  std::vector<std::string> expected;
  const auto outcome = transactions.execute([&](Tx& tx) {
    const auto add = [&](const std::string& id) {
      expected.push_back(id);
      tx.add(order_placed(id));
    };
    for (int i = 0; i < 250; ++i) add("many " + std::to_string(i));
    expected.insert(expected.end(), {"now", "one", "two", "last"});
    EXPECT_EQ(tx.try_add(order_placed("now")).result, AddResult::added);
    tx.add(orders_placed({"one", "two"}));
    tx.add(order_placed("last"));
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(identifiers(), expected);
}

TEST_F(InsertsWithCommitTest, T7_a_savepoint_takes_along_only_what_was_added_inside) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    tx.add(order_placed("before"));
    EXPECT_THROW(static_cast<void>(transactions.execute_nested([&](Tx& inner) {
                   EXPECT_EQ(inner.try_add(order_placed("inside, at once")).result,
                             AddResult::added);
                   inner.add(order_placed("inside"));
                   throw std::runtime_error("undo");
                 })),
                 std::runtime_error);
    EXPECT_TRUE(
        transactions.execute_nested([&](Tx& inner) { inner.add(order_placed("second part")); })
            .committed());
    tx.add(order_placed("behind"));
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(identifiers(), (std::vector<std::string>{"before", "second part", "behind"}));
}

TEST_F(InsertsWithCommitTest, T7_a_savepoint_of_ones_own_takes_along_what_was_written_at_once) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    tx.leave_to_relay();
    EXPECT_EQ(tx.try_add(order_placed("before")).result, AddResult::added);
    client.query("SAVEPOINT own");
    EXPECT_EQ(tx.try_add(order_placed("inside")).result, AddResult::added);
    client.query("ROLLBACK TO own");
    EXPECT_EQ(tx.try_add(order_placed("behind")).result, AddResult::added);
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(identifiers(), (std::vector<std::string>{"before", "behind"}));
}

TEST_F(InsertsWithCommitTest,
       T1_a_table_whose_trigger_drops_rows_commits_no_order_without_message) {
  const char* const kDropAll =
      "CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN RETURN NULL; END';"
      "CREATE TRIGGER drop_all BEFORE INSERT ON local_message FOR EACH ROW"
      " EXECUTE FUNCTION drop_row()";
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
  shop.execute(kDropAll);

  postgres::PlainClient fresh(shop.options().url);
  PGconn* handle = fresh.handle();
  TransactionTemplate<PGconn*> others(handle, outbox);
  const auto place_there = [&](Tx& tx) {
    fresh.query("INSERT INTO orders VALUES ('B')");
    tx.add(order_placed("B"));
  };
  EXPECT_THROW(static_cast<void>(others.execute(place_there)), AddRefused);
  expect_rows("1");
  // A connection that had looked at the table before cannot refuse any more, and tells.
  EXPECT_THROW(static_cast<void>(transactions.execute([&](Tx& tx) { place(tx, "C"); })),
               std::logic_error);
  EXPECT_EQ(count("orders"), "2");
  EXPECT_EQ(count("local_message"), "1");
}

// Wherever the backend ends: a service resets a connection that libpq calls broken, and goes on.
TEST_F(InsertsWithCommitTest, T9_a_connection_whose_backend_ended_can_be_reset) {
  const auto end_backend = [&] {
    const std::string pid = std::to_string(PQbackendPID(connection));
    shop.query("SELECT pg_terminate_backend(" + pid + ", 5000)");
  };
  for (const std::string when : {"before", "inside", "behind"}) {
    if (when == "before") end_backend();
    const auto place_and_end = [&](Tx& tx) {
      if (when == "inside") end_backend();
      place(tx, when);
      if (when == "behind") end_backend();
    };
    EXPECT_THROW(static_cast<void>(transactions.execute(place_and_end)), std::exception) << when;
    ASSERT_NE(PQstatus(connection), CONNECTION_OK) << when;
    PQreset(connection);
    EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, when); }).committed()) << when;
  }
  expect_rows("3");
}

TEST_F(InsertsWithCommitTest, T9_L1_backends_ended_at_any_moment_leave_what_a_reset_mends) {
  constexpr int kRounds = 100;
  std::atomic<int> backend = PQbackendPID(connection);
  std::atomic<int> ended = 0;
  const std::jthread terminator([&] {
    postgres::PlainClient killer(shop.options().url);
    while (ended < kRounds) {
      const std::string pid = std::to_string(backend);
      const auto is_ended =
          killer.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = " + pid);
      if (!is_ended.empty()) ++ended;
    }
  });
  int committed = 0;
  for (int i = 0; ended < kRounds; ++i) {
    try {
      const auto outcome = transactions.execute([&](Tx& tx) { place(tx, std::to_string(i)); });
      if (outcome.committed()) ++committed;
    } catch (const std::runtime_error&) {  // NOLINT(bugprone-empty-catch): rolled back
    }
    if (PQstatus(connection) == CONNECTION_OK) {
      ASSERT_EQ(Adapter::status(connection), TransactionStatus::idle);
      continue;
    }
    PQreset(connection);
    backend = PQbackendPID(connection);
  }
  EXPECT_GT(committed, 0);
  EXPECT_EQ(count("orders"), count("local_message"));
}

TEST_F(InsertsWithCommitTest, T2_an_error_of_commit_itself_is_the_drivers) {
  shop.execute("CREATE TABLE bills (id text REFERENCES orders DEFERRABLE INITIALLY DEFERRED)");
  const auto bill_nothing = [&](Tx& tx) {
    place(tx, "A");
    client.query("INSERT INTO bills VALUES ('no such order')");
  };
  try {
    static_cast<void>(transactions.execute(bill_nothing));
    FAIL() << "committed";
  } catch (const PostgresError& error) {
    EXPECT_EQ(error.sqlstate(), "23503");
  }
  expect_rows("0");
}

TEST_F(InsertsWithCommitTest, T9_a_rendered_insert_that_fails_stops_the_commit_in_its_pipeline) {
  const Rendered rendered = outbox.render(Dialect::postgres, order_placed("A"), OnDuplicate::fail);
  const auto values = rendered.values();
  const Statement insert{rendered.sql, values};
  // Often: a sequence gives the transaction an id of its own now and then.
  for (int i = 0; i < 40; ++i) {
    try {
      Adapter::insert(connection, insert);
      FAIL() << "written outside a transaction";
    } catch (const PostgresError& error) {
      EXPECT_EQ(error.sqlstate(), "22P02");
      EXPECT_NE(std::string(error.what()).find("needs a transaction"), std::string::npos);
    }
  }
  Adapter::Kept kept;
  for (const char* order : {"A", "B"}) {
    Adapter::begin(connection);
    create_order(order);
    const InsertsCommitted done = Adapter::insert_and_commit(connection, {&insert, 1}, kept);
    EXPECT_EQ(done.answer == CommitAnswer::committed, std::string(order) == "A");
    EXPECT_EQ(done.refused.has_value(), std::string(order) == "B");
    Adapter::rollback(connection);
  }
  expect_rows("1");
}

// More parameters than the protocol counts stand for all that libpq cannot send.
TEST_F(InsertsWithCommitTest, T1_what_cannot_be_sent_stops_the_commit_behind_it) {
  const std::vector<Value> too_many(70'000, std::string_view("A"));
  const Statement unsendable{"INSERT INTO orders VALUES ($1) RETURNING 1", too_many};
  Adapter::Kept kept;
  for (int round = 0; round < 2; ++round) {  // then the statement is prepared
    Adapter::begin(connection);
    create_order("A");
    EXPECT_THROW(static_cast<void>(Adapter::insert_and_commit(connection, {&unsendable, 1}, kept)),
                 PostgresError);
    Adapter::rollback(connection);
    expect_rows("0");
    EXPECT_THROW(static_cast<void>(Adapter::begin_and_insert(connection, unsendable, kept)),
                 PostgresError);
    EXPECT_EQ(Adapter::status(connection), TransactionStatus::idle);
  }
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
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
  EXPECT_GT(message.transaction_id, 0U);  // known, though no answer came to the INSERT either
  EXPECT_EQ(resolve(message), CommitAnswer::committed);
  expect_rows("1");
  shop.execute("UPDATE local_message SET state = 'SUCCESS', gmt_modified = now()");
  EXPECT_EQ(resolve(message), CommitAnswer::committed) << "whatever the relay made of the row";
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

TEST_F(CommitUnknownTest, T6_the_resolver_refuses_a_connection_that_may_look_at_the_past) {
  client.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM local_message");
  const AddedMessage message = place_and_lose(GateAction::cut_after);
  EXPECT_THROW(static_cast<void>(resolve(message)), std::logic_error);
  client.query("ROLLBACK");
  EXPECT_EQ(resolve(message), CommitAnswer::committed);
}

}  // namespace
}  // namespace waybill::testing
