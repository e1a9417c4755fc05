// What a network database adds: sessions that break, locks that are waited for, settings that
// differ.
#include <algorithm>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "mariadb_fixture.hpp"
#include "waybill/testing/tcp_gate.hpp"

namespace waybill::mariadb {
namespace {

Mark mark_of(std::int64_t id, Cause cause) {
  Mark mark;
  mark.id = id;
  mark.cause = cause;
  return mark;
}

bool wait_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class MariadbSession : public ::testing::Test {
 protected:
  void SetUp() override {
    store = shop.open_store();
    auto opened = store->open_relay();
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    relay = std::move(*opened);
  }

  void insert(int rows, const std::string& state = "INIT") {
    shop.execute(
        "INSERT INTO local_message (message_type, biz_type, identifier, content, state)"
        " SELECT 'order.placed', 'order', CONCAT('" +
        state + "-', seq), '{}', '" + state + "' FROM seq_1_to_" + std::to_string(rows));
  }

  // The server brings this table up to date only when nobody has looked for 100 ms.
  void wait_for_a_blocked_statement() {
    EXPECT_TRUE(wait_until([&] {
      std::this_thread::sleep_for(Millis(120));
      return shop.query(
                 "SELECT COUNT(*) FROM information_schema.INNODB_TRX JOIN"
                 " information_schema.PROCESSLIST ON ID = trx_mysql_thread_id"
                 " WHERE DB = DATABASE() AND trx_state = 'LOCK WAIT'")[0] == "1";
    }));
  }

  // Ids page by page, in the order of the lane; `bytes` has room for two rows and ends in a third.
  static std::vector<std::int64_t> read_to_the_end(RelaySession& session, Lane lane,
                                                   std::size_t bytes) {
    std::vector<std::int64_t> seen;
    LaneRead spec;
    spec.lane = lane;
    spec.message_type = "order.placed";
    spec.bytes_max = bytes;
    for (bool exhausted = false; !exhausted && seen.size() < 100;) {
      const auto page = session.read(spec);
      if (!page.ok()) throw std::runtime_error(page.error().to_string());
      exhausted = page->exhausted;
      EXPECT_TRUE(exhausted || page->rows.size() == 3U) << page->rows.size();
      for (const MessageRow& row : page->rows) {
        seen.push_back(row.id);
        spec.after = {lane == Lane::overdue ? row.gmt_modified : row.next_attempt_at, row.id};
      }
    }
    return seen;
  }

  Lease take_lease() {
    const auto lease = relay->take(*relay->lease(), "relay");
    EXPECT_TRUE(lease.ok() && lease->has_value());
    return **lease;
  }

  MariadbFixture shop;
  std::unique_ptr<MessageStore> store;
  std::unique_ptr<RelaySession> relay;
};

TEST_F(MariadbSession, a_killed_session_says_so_once_and_works_again) {
  insert(1);
  ASSERT_TRUE(relay->lease().ok());
  for (const std::string& id : shop.query("SELECT ID FROM information_schema.PROCESSLIST WHERE DB ="
                                          " DATABASE() AND ID <> CONNECTION_ID()")) {
    shop.execute("KILL " + id);
  }
  const Mark mark = mark_of(1, Cause::acked);
  const auto lost = relay->mark({&mark, 1});
  ASSERT_FALSE(lost.ok());
  EXPECT_NE(lost.error().remedy, Remedy::fix_call) << lost.error().to_string();
  const auto again = relay->mark({&mark, 1});
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(again->at(0), Marked::done);
}

TEST_F(MariadbSession, a_locked_row_is_waited_for_and_then_left) {
  insert(1);
  PlainClient other(shop.options().url);
  other.query("BEGIN; SELECT 1 FROM local_message FOR UPDATE");
  const Mark mark = mark_of(1, Cause::acked);
  const auto blocked = relay->mark({&mark, 1});
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().remedy, Remedy::retry) << blocked.error().to_string();
  // By the limit of a lock, which is shorter than that of a statement.
  EXPECT_NE(blocked.error().text.find("1205"), std::string::npos) << blocked.error().text;
  other.query("ROLLBACK");
  EXPECT_EQ(relay->mark({&mark, 1})->at(0), Marked::done);
}

// Two sessions lock the same two rows crosswise; the server ends one of them.
TEST_F(MariadbSession, a_deadlock_is_retried_and_the_other_side_is_served) {
  insert(2);
  PlainClient other(shop.options().url);
  // The side that has written more is let live.
  other.query(
      "BEGIN; INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " SELECT 'a', 'b', seq, 'c' FROM seq_1_to_50;"
      " UPDATE local_message SET content = 'x' WHERE id = 2");
  const std::vector<Mark> marks = {mark_of(1, Cause::acked), mark_of(2, Cause::acked)};
  std::thread blocked([&] {
    const auto lost = relay->mark(marks);
    ASSERT_FALSE(lost.ok());
    EXPECT_EQ(lost.error().remedy, Remedy::retry) << lost.error().to_string();
    EXPECT_NE(lost.error().text.find("1213"), std::string::npos) << lost.error().text;
  });
  wait_for_a_blocked_statement();
  other.query("UPDATE local_message SET content = 'x' WHERE id = 1; COMMIT");
  blocked.join();
  EXPECT_EQ(*relay->mark(marks), (std::vector{Marked::done, Marked::done}));
}

// Its lease was still there when it began.
TEST_F(MariadbSession, L2_a_relay_that_is_deposed_while_it_waits_for_a_row_judges_nothing) {
  Options options = shop.options();
  options.answer_timeout = Millis(20'000);
  options.lock_timeout = Millis(10'000);
  relay = std::move(*(*open_message_store(options))->open_relay());
  insert(1);
  const Lease lease = take_lease();
  PlainClient other(shop.options().url);
  other.query("BEGIN; SELECT 1 FROM local_message FOR UPDATE");
  std::thread judging([&] {
    const Mark mark = mark_of(1, Cause::refused);
    const auto judged = relay->judge(lease, {&mark, 1});
    ASSERT_TRUE(judged.ok()) << judged.error().to_string();
    EXPECT_FALSE(judged->has_value());
  });
  wait_for_a_blocked_statement();
  shop.execute("UPDATE local_message_lease SET fence = fence + 1");
  other.query("ROLLBACK");
  judging.join();
  EXPECT_EQ(shop.query("SELECT state FROM local_message")[0], "INIT");
  EXPECT_EQ(shop.query("SELECT COUNT(*) FROM local_message_delivery")[0], "0");
}

// A judgement waits in its middle, with rows locked, and one asked for that is not there. A
// business transaction that was given an id in between must not wait for it.
TEST_F(MariadbSession, a_relays_locks_hold_up_no_business_insert) {
  insert(1);
  const std::string insert_with_id =
      "INSERT INTO local_message (id, message_type, biz_type, identifier, content) VALUES ";
  shop.execute(insert_with_id + "(1000, 'order.placed', 'order', 'last', '{}')");
  const Lease lease = take_lease();
  PlainClient other(shop.options().url);
  other.query("BEGIN; INSERT INTO local_message_delivery (id, message_type) VALUES (1000, 'x')");
  const std::vector<Mark> marks = {mark_of(1, Cause::refused), mark_of(500, Cause::refused),
                                   mark_of(1000, Cause::refused)};
  std::thread judging([&] {
    const auto judged = relay->judge(lease, marks);
    ASSERT_TRUE(judged.ok()) << judged.error().to_string();
    EXPECT_EQ(**judged, (std::vector{Marked::done, Marked::gone, Marked::done}));
  });
  wait_for_a_blocked_statement();
  PlainClient business(shop.options().url);
  EXPECT_NO_THROW(business.query("SET innodb_lock_wait_timeout = 0; " + insert_with_id +
                                 "(600, 'order.placed', 'order', 'late', '{}')"));
  other.query("ROLLBACK");
  judging.join();
}

TEST_F(MariadbSession, C3_clients_of_any_time_zone_write_the_same_time) {
  for (const char* zone : {"+08:00", "-11:00", "SYSTEM"}) {
    PlainClient client(shop.options().url);
    client.query(std::string("SET time_zone = '") + zone +
                 "'; INSERT INTO local_message (message_type, biz_type, identifier, content)"
                 " VALUES ('order.placed', 'order', '" +
                 zone + "', '{}')");
  }
  LaneRead spec;
  spec.message_type = "order.placed";
  const auto page = relay->read(spec);
  ASSERT_TRUE(page.ok()) << page.error().to_string();
  ASSERT_EQ(page->rows.size(), 3U);
  for (const MessageRow& row : page->rows) {
    EXPECT_LE(row.gmt_create, page->now);
    EXPECT_LT(page->now - row.gmt_create, std::chrono::minutes(30));
  }
}

TEST_F(MariadbSession, a_page_is_bounded_by_bytes) {
  shop.execute(
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " SELECT 'order.placed', 'order', seq, REPEAT('x', 100000) FROM seq_1_to_50");
  LaneRead spec;
  spec.message_type = "order.placed";
  spec.bytes_max = 250'000;
  const auto page = relay->read(spec);
  ASSERT_TRUE(page.ok()) << page.error().to_string();
  EXPECT_EQ(page->rows.size(), 3U);
  EXPECT_FALSE(page->exhausted);
  spec.bytes_max = 1;
  EXPECT_EQ(relay->read(spec)->rows.size(), 1U);
}

// The lengths add up in the order of the lane, also where the server has to sort.
TEST_F(MariadbSession, bytes_bound_the_pages_of_every_lane_with_and_without_an_index) {
  for (const char* state : {"INIT", "SENT", "RETRY"}) insert(30, state);
  shop.execute(
      "UPDATE local_message SET gmt_modified = utc_timestamp(6) - INTERVAL 3600 + id SECOND,"
      " content = REPEAT('x', 1000 + id)");
  shop.execute(
      "INSERT INTO local_message_delivery (id, message_type, next_attempt_at)"
      " SELECT id, message_type, gmt_modified FROM local_message WHERE state = 'RETRY'");
  for (const bool indexed : {true, false}) {
    if (!indexed) {
      shop.execute(
          "DROP INDEX local_message_fresh ON local_message;"
          "DROP INDEX local_message_overdue ON local_message");
    }
    const auto session = store->open_relay();
    ASSERT_TRUE(session.ok()) << session.error().to_string();
    for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due}) {
      const std::vector<std::int64_t> seen = read_to_the_end(**session, lane, 3000);
      ASSERT_EQ(seen.size(), 30U);
      // The oldest first: of the other lanes the row with the largest id.
      EXPECT_TRUE(lane == Lane::fresh ? std::is_sorted(seen.begin(), seen.end())
                                      : std::is_sorted(seen.rbegin(), seen.rend()));
    }
  }
}

TEST_F(MariadbSession, a_reason_that_is_no_text_spoils_no_batch) {
  insert(2);
  const Lease lease = take_lease();
  std::vector<Mark> marks = {mark_of(1, Cause::refused), mark_of(2, Cause::refused)};
  marks[0].reason = "broker said \xFF\"\n\\";
  marks[1].reason = "Grund: \xC3\xBC\x01";
  const auto judged = relay->judge(lease, marks);
  ASSERT_TRUE(judged.ok()) << judged.error().to_string();
  EXPECT_EQ(shop.query("SELECT reason FROM local_message_delivery ORDER BY id"),
            (std::vector<std::string>{"broker said ?\"\n\\", "Grund: \xC3\xBC\x01"}));
}

// The relay's connection goes through a gate that breaks at the end of a transaction.
class MariadbCommit : public MariadbSession {
 protected:
  MariadbCommit() : gate("127.0.0.1", parse_url(shop.options().url)->port) {}

  void SetUp() override {
    Options options = shop.options();
    const std::string port = std::to_string(parse_url(options.url)->port);
    options.url.replace(options.url.find(port), port.size(), std::to_string(gate.port()));
    options.answer_timeout = Millis(1000);
    store = std::move(*open_message_store(options));
    relay = std::move(*store->open_relay());
    insert(1);
  }

  void expect_in_doubt(testing::GateAction action) {
    gate.arm("COMMIT", action);
    const Mark mark = mark_of(1, Cause::acked);
    const auto lost = relay->mark({&mark, 1});
    ASSERT_FALSE(lost.ok());
    EXPECT_EQ(lost.error().remedy, Remedy::look) << lost.error().to_string();
    EXPECT_TRUE(gate.has_acted());
  }

  testing::TcpGate gate;
};

TEST_F(MariadbCommit, F2_a_mark_whose_answer_was_lost_is_in_doubt_and_holds_when_done_again) {
  expect_in_doubt(testing::GateAction::cut_after);
  const Mark mark = mark_of(1, Cause::acked);
  EXPECT_TRUE(
      wait_until([&] { return shop.query("SELECT state FROM local_message")[0] != "INIT"; }));
  EXPECT_EQ(relay->mark({&mark, 1})->at(0), Marked::already_further);
}

TEST_F(MariadbCommit, F2_a_mark_that_never_arrived_is_in_doubt_and_is_done_again) {
  expect_in_doubt(testing::GateAction::cut_before);
  const Mark mark = mark_of(1, Cause::acked);
  EXPECT_EQ(relay->mark({&mark, 1})->at(0), Marked::done);
}

TEST_F(MariadbCommit, L1_a_black_hole_is_given_up_after_the_answer_timeout) {
  expect_in_doubt(testing::GateAction::hold_after);
}

// Between two statements of its transaction, with the row locked.
TEST_F(MariadbCommit, L1_the_server_ends_the_transaction_of_a_black_holed_relay) {
  gate.arm("UPDATE local_message", testing::GateAction::hold_after);
  const Mark mark = mark_of(1, Cause::acked);
  ASSERT_FALSE(relay->mark({&mark, 1}).ok());
  ASSERT_TRUE(gate.has_acted());
  const auto direct = shop.open_store();
  const auto successor = std::move(*direct->open_relay());
  EXPECT_TRUE(wait_until([&] { return successor->mark({&mark, 1}).ok(); }));
}

TEST_F(MariadbCommit, L1_the_server_ends_a_statement_that_nobody_waits_for) {
  // SLEEP() would end by itself when its client has gone.
  shop.execute(
      "CREATE TRIGGER slow BEFORE UPDATE ON local_message FOR EACH ROW"
      " DO BENCHMARK(1000000000, SHA2('x', 512))");
  const Mark mark = mark_of(1, Cause::acked);
  ASSERT_FALSE(relay->mark({&mark, 1}).ok());
  EXPECT_TRUE(wait_until([&] {
    return shop.query(
               "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE()"
               " AND COMMAND <> 'Sleep' AND ID <> CONNECTION_ID()")[0] == "0";
  }));
}

TEST_F(MariadbCommit, L1_a_lost_answer_to_a_lease_taken_is_in_doubt) {
  gate.arm("relay-of-this-test", testing::GateAction::cut_after);
  const auto lost = relay->take({}, "relay-of-this-test");
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().remedy, Remedy::look) << lost.error().to_string();
}

}  // namespace
}  // namespace waybill::mariadb
