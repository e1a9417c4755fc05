// What becomes of a transaction when its whole server dies: each test has one of its own.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "order_placed.hpp"
#include "postgres_fixture.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/outbox/resolve_unknown.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::testing {
namespace {

// The log reaches the disk by a COMMIT, and else late.
class PostgresCrashTest : public ::testing::Test {
 protected:
  PostgresCrashTest() : server(lazy_server()) {
    const auto applied =
        postgres::apply_schema({.url = server.url()}, postgres::SchemaPart::producer);
    if (!applied) throw std::runtime_error(applied.error().to_string());
    postgres::PlainClient(server.url()).query("CREATE TABLE orders (id text PRIMARY KEY)");
  }

  static Server lazy_server() {
    ::setenv("WAYBILL_POSTGRES_SETTINGS", "wal_writer_delay=10000ms", 1);
    return Server::own(WAYBILL_SERVERS_TOOLS, "postgres",
                       "/var/tmp/waybill-crash-" + std::to_string(::getpid()));
  }

  // The server dies when the transaction has written, and comes back: nothing of it is in the log.
  AddedMessage place_and_crash(bool at_once) {
    postgres::PlainClient client(server.url());
    PGconn* connection = client.handle();
    TransactionTemplate<PGconn*> transactions(connection, outbox);
    const auto outcome = transactions.execute([&](Transaction<PGconn*>& tx) {
      client.query("INSERT INTO orders VALUES ('A')");
      if (at_once) {
        EXPECT_EQ(tx.try_add(order_placed("A")).result, AddResult::added);
      } else {
        tx.add(order_placed("A"));
      }
      ::kill(PQbackendPID(connection), SIGSTOP);  // it would tell that its server is gone
      server.kill();
    });
    server.start();
    EXPECT_TRUE(outcome.unknown()) << outcome.reason;
    return outcome.added.at(0);
  }
  CommitAnswer resolve(const AddedMessage& message) {
    postgres::PlainClient fresh(server.url());
    PGconn* handle = fresh.handle();
    return resolve_unknown(handle, outbox, message,
                           std::chrono::steady_clock::now() + Millis(5000));
  }
  // Other orders commit, the last one under an id that was given out before.
  void place_others_up_to(std::uint64_t transaction_id) {
    postgres::PlainClient client(server.url());
    std::uint64_t own = 0;
    while (own < transaction_id) {
      own = std::stoull(client
                            .query("INSERT INTO orders VALUES (gen_random_uuid())"
                                   " RETURNING pg_current_xact_id()")
                            .at(0));
    }
    EXPECT_EQ(own, transaction_id) << "the lost transaction reached the disk";
  }

  const Server server;
  const Outbox outbox;
};

TEST_F(PostgresCrashTest, T6_an_order_is_lost_though_its_transactions_id_commits_another) {
  for (const bool at_once : {false, true}) {
    const AddedMessage lost = place_and_crash(at_once);
    place_others_up_to(lost.transaction_id);
    EXPECT_EQ(resolve(lost), CommitAnswer::rolled_back);
  }
}

// As on a standby that took the place of its primary before it had heard of the transaction.
TEST_F(PostgresCrashTest, T6_an_order_is_lost_whose_transactions_id_is_yet_to_come) {
  const AddedMessage lost = place_and_crash(false);
  EXPECT_EQ(resolve(lost), CommitAnswer::rolled_back);
  postgres::PlainClient client(server.url());
  PGconn* connection = client.handle();
  TransactionTemplate<PGconn*> transactions(connection, outbox);
  const auto outcome = transactions.execute([&](Transaction<PGconn*>& tx) {
    client.query("INSERT INTO orders VALUES ('A')");
    tx.add(order_placed("A"));
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
}

}  // namespace
}  // namespace waybill::testing
