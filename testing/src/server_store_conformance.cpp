#include "waybill/testing/server_store_conformance.hpp"

#include <thread>

#include "waybill/testing/must.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

// Of the only row.
Mark mark_of(Cause cause) {
  Mark mark;
  mark.id = 1;
  mark.cause = cause;
  return mark;
}

const Mark kAcked = mark_of(Cause::acked);

void insert_row(StoreServer& server) {
  server.database().execute(
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " VALUES ('order.placed', 'order', 'A', '{}')");
}

std::unique_ptr<RelaySession> open_relay(StoreServer& server, Millis answer_timeout) {
  return must(server.open_store(server.port(), answer_timeout)->open_relay());
}

// A relay whose connection goes through a gate, and a row.
struct GatedRelay {
  explicit GatedRelay(StoreServer& server)
      : gate("127.0.0.1", server.port()),
        store(server.open_store(gate.port(), seconds(1))),
        relay(must(store->open_relay())),
        end_of_mark(server.end_of_mark()) {
    insert_row(server);
  }

  void expect_in_doubt(GateAction action) {
    gate.arm(end_of_mark, action);
    const auto lost = relay->mark({&kAcked, 1});
    ASSERT_FALSE(lost.ok());
    EXPECT_EQ(lost.error().remedy, Remedy::look) << lost.error().to_string();
    EXPECT_TRUE(gate.has_acted());
  }

  TcpGate gate;
  const std::unique_ptr<MessageStore> store;
  const std::unique_ptr<RelaySession> relay;
  const std::string end_of_mark;
};

}  // namespace

TEST_P(ServerStoreConformance, L1_a_session_that_was_ended_says_so_once_and_works_again) {
  const auto server = GetParam().make();
  const auto relay = open_relay(*server, seconds(2));
  insert_row(*server);
  ASSERT_TRUE(relay->lease().ok());
  server->end_sessions();
  const auto lost = relay->mark({&kAcked, 1});
  ASSERT_FALSE(lost.ok());
  EXPECT_NE(lost.error().remedy, Remedy::fix_call) << lost.error().to_string();
  EXPECT_EQ(must(relay->mark({&kAcked, 1})).at(0), Marked::done);
}

TEST_P(ServerStoreConformance, a_locked_row_is_waited_for_and_then_left) {
  const auto server = GetParam().make();
  const auto relay = open_relay(*server, seconds(2));
  insert_row(*server);
  server->execute_beside("BEGIN; SELECT 1 FROM local_message FOR UPDATE");
  const auto blocked = relay->mark({&kAcked, 1});
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().remedy, Remedy::retry) << blocked.error().to_string();
  // By the limit of a lock, which is shorter than that of a statement.
  EXPECT_NE(blocked.error().text.find(server->lock_timeout_code()), std::string::npos)
      << blocked.error().text;
  server->execute_beside("ROLLBACK");
  EXPECT_EQ(must(relay->mark({&kAcked, 1})).at(0), Marked::done);
}

// Its lease was still there when it began, and the isolation that the database asks for would show
// that lease to the end. Its patience is longer than the test takes, also on a slow machine.
TEST_P(ServerStoreConformance, L2_a_relay_that_is_deposed_while_it_waits_for_a_row_judges_nothing) {
  const auto server = GetParam().make();
  insert_row(*server);
  server->make_reads_repeatable();
  const auto relay = open_relay(*server, seconds(20));
  StoreFixture& database = server->database();
  for (const std::string change : {"fence = fence + 1", "holder = 'another'"}) {
    const auto lease = must(relay->take(must(relay->lease()), "relay"));
    ASSERT_TRUE(lease.has_value());
    server->execute_beside("BEGIN; SELECT 1 FROM local_message FOR UPDATE");
    std::thread judging([&] {
      const Mark mark = mark_of(Cause::refused);
      const auto judged = relay->judge(*lease, {&mark, 1});
      ASSERT_TRUE(judged.ok()) << judged.error().to_string();
      EXPECT_FALSE(judged->has_value() && (*judged)->at(0) == Marked::done);
    });
    EXPECT_TRUE(wait_until([&] { return server->waiting_statements() == 1; }));
    database.execute("UPDATE local_message_lease SET " + change);
    server->execute_beside("ROLLBACK");
    judging.join();
  }
  EXPECT_EQ(database.query("SELECT state FROM local_message")[0], "INIT");
  EXPECT_EQ(database.query("SELECT COUNT(*) FROM local_message_delivery")[0], "0");
}

TEST_P(ServerStoreConformance,
       F2_a_mark_whose_answer_was_lost_is_in_doubt_and_holds_when_done_again) {
  const auto server = GetParam().make();
  GatedRelay gated(*server);
  gated.expect_in_doubt(GateAction::cut_after);
  EXPECT_TRUE(wait_until(
      [&] { return server->database().query("SELECT state FROM local_message")[0] != "INIT"; }));
  EXPECT_EQ(must(gated.relay->mark({&kAcked, 1})).at(0), Marked::already_further);
}

TEST_P(ServerStoreConformance, F2_a_mark_that_never_arrived_is_in_doubt_and_is_done_again) {
  const auto server = GetParam().make();
  GatedRelay gated(*server);
  gated.expect_in_doubt(GateAction::cut_before);
  EXPECT_EQ(must(gated.relay->mark({&kAcked, 1})).at(0), Marked::done);
}

TEST_P(ServerStoreConformance, L1_a_black_hole_is_given_up_after_the_answer_timeout) {
  const auto server = GetParam().make();
  GatedRelay(*server).expect_in_doubt(GateAction::hold_after);
}

TEST_P(ServerStoreConformance, L1_a_lost_answer_to_a_lease_taken_is_in_doubt) {
  const auto server = GetParam().make();
  GatedRelay gated(*server);
  gated.gate.arm("relay-of-this-test", GateAction::cut_after);
  const auto lost = gated.relay->take({}, "relay-of-this-test");
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().remedy, Remedy::look) << lost.error().to_string();
}

// Between two statements of its transaction, with the row locked.
TEST_P(ServerStoreConformance, L1_the_server_ends_the_transaction_of_a_black_holed_endpoint) {
  const auto server = GetParam().make();
  GatedRelay gated(*server);
  server->database().execute(
      "INSERT INTO waybill_route (message_type, destination, consumers, version)"
      " VALUES ('order.placed', 'orders', 'points', 1)");
  const auto endpoint = must(gated.store->open_confirm());
  Confirmation item;
  item.message_id = "order/order.placed/A";
  item.consumer = "points";
  gated.gate.arm("FOR UPDATE", GateAction::hold_after);
  ASSERT_FALSE(endpoint->confirm({&item, 1}).ok());
  ASSERT_TRUE(gated.gate.has_acted());
  const auto successor = open_relay(*server, seconds(2));
  EXPECT_TRUE(wait_until([&] { return successor->mark({&kAcked, 1}).ok(); }));
}

TEST_P(ServerStoreConformance, L1_the_server_ends_a_statement_that_nobody_waits_for) {
  const auto server = GetParam().make();
  const auto relay = open_relay(*server, seconds(1));
  insert_row(*server);
  server->make_updates_slow();
  ASSERT_FALSE(relay->mark({&kAcked, 1}).ok());
  EXPECT_TRUE(wait_until([&] { return server->running_statements() == 0; }));
}

TEST_P(ServerStoreConformance, L1_a_restarted_server_is_found_again) {
  const auto server = GetParam().make_own();
  const auto relay = open_relay(*server, seconds(2));
  const auto lease = must(relay->take({}, "relay"));
  ASSERT_TRUE(lease.has_value());
  server->kill();
  const auto lost = relay->renew(*lease);
  ASSERT_FALSE(lost.ok());
  EXPECT_NE(lost.error().remedy, Remedy::fix_call) << lost.error().to_string();
  const auto down = relay->renew(*lease);
  ASSERT_FALSE(down.ok());
  EXPECT_EQ(down.error().remedy, Remedy::retry) << down.error().to_string();
  server->start();
  EXPECT_TRUE(must(relay->renew(*lease)).has_value())
      << "the lease is in the database, and nobody took it";
}

}  // namespace waybill::testing
