// What PostgreSQL adds: read-only servers, commits that are refused, its locks, its plans.
#include <algorithm>
#include <thread>

#include "postgres_fixture.hpp"

namespace waybill::postgres {
namespace {

Mark mark_of(std::int64_t id, Cause cause) {
  Mark mark;
  mark.id = id;
  mark.cause = cause;
  return mark;
}

class PostgresSession : public ::testing::Test {
 protected:
  void SetUp() override {
    store = shop.open_store();
    auto opened = store->open_relay();
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    relay = std::move(*opened);
  }

  void insert(int rows, const std::string& state, const std::string& type = "order.placed") {
    shop.execute(
        "INSERT INTO local_message (message_type, biz_type, identifier, content, state)"
        " SELECT '" +
        type + "', 'order', '" + state + "-' || i, '{}', '" + state + "' FROM generate_series(1, " +
        std::to_string(rows) + ") AS i");
  }

  // Rows that the indexes of a table gave out, or that were read without one, since the last call.
  std::int64_t rows_examined(const std::string& table = "local_message") {
    shop.execute("SELECT pg_stat_force_next_flush()");
    const std::int64_t now = std::stoll(
        shop.query("SELECT COALESCE(SUM(idx_tup_read), 0) + (SELECT seq_tup_read FROM "
                   "pg_stat_user_tables WHERE relname = '" +
                   table + "') FROM pg_stat_user_indexes WHERE relname LIKE '" + table + "%'")
            .at(0));
    return now - std::exchange(examined_, now);
  }

  // Of the indexes of the lanes, since the last call.
  std::int64_t lane_blocks_read() {
    shop.execute("SELECT pg_stat_force_next_flush()");
    const std::int64_t now = std::stoll(
        shop.query("SELECT SUM(idx_blks_read + idx_blks_hit) FROM pg_statio_user_indexes WHERE"
                   " indexrelname IN ('local_message_fresh', 'local_message_overdue')")
            .at(0));
    return now - std::exchange(blocks_, now);
  }

  // On a slow machine, too, longer than the test takes.
  std::unique_ptr<RelaySession> open_patient_relay() {
    Options options = shop.options();
    options.answer_timeout = Millis(20'000);
    options.lock_timeout = Millis(10'000);
    return std::move(*(*open_message_store(options))->open_relay());
  }

  void wait_for_blocked(int statements) {
    EXPECT_TRUE(testing::wait_until([&] { return shop.waiting_statements() == statements; }));
  }

  PostgresFixture shop;
  std::unique_ptr<MessageStore> store;
  std::unique_ptr<RelaySession> relay;

 private:
  std::int64_t examined_ = 0;
  std::int64_t blocks_ = 0;
};

TEST_F(PostgresSession, L1_a_read_only_server_is_a_transport_failure) {
  shop.execute(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
      " current_database()); END $$");
  const auto session = store->open_relay();
  ASSERT_TRUE(session.ok()) << session.error().to_string();
  const auto taken = (*session)->take({}, "relay");
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().remedy, Remedy::retry);
  EXPECT_NE(taken.error().hint.find("primary"), std::string::npos) << taken.error().hint;
}

// As a deferred constraint does, or a conflict that is seen at the end.
TEST_F(PostgresSession, F6_a_mark_whose_commit_is_refused_is_not_done) {
  insert(1, "INIT");
  shop.execute(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN RAISE 'not now' USING ERRCODE = '40001'; END $$;"
      "CREATE CONSTRAINT TRIGGER refused AFTER UPDATE ON local_message DEFERRABLE INITIALLY"
      " DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()");
  const Mark mark = mark_of(1, Cause::acked);
  const auto refused = relay->mark({&mark, 1});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().remedy, Remedy::retry) << refused.error().to_string();
  shop.execute("DROP TRIGGER refused ON local_message");
  EXPECT_EQ(relay->mark({&mark, 1})->at(0), Marked::done);
}

// Each writes several arrows, one after the other, in the order of the arrows.
TEST_F(PostgresSession, F4_two_batches_with_the_same_rows_do_not_lock_each_other_out) {
  insert(3, "INIT");
  const Mark first[] = {mark_of(1, Cause::acked), mark_of(3, Cause::acked_unconfirmed),
                        mark_of(2, Cause::confirmed)};
  const Mark second[] = {mark_of(2, Cause::acked), mark_of(1, Cause::acked_unconfirmed)};
  const auto one_relay = open_patient_relay();
  const auto another = open_patient_relay();
  PlainClient other(shop.options().url);
  other.query("BEGIN; SELECT 1 FROM local_message WHERE id = 3 FOR UPDATE");
  const auto write = [](RelaySession& session, std::span<const Mark> marks) {
    const auto marked = session.mark(marks);
    EXPECT_TRUE(marked.ok()) << marked.error().to_string();
  };
  std::thread one([&] { write(*one_relay, first); });
  wait_for_blocked(1);
  std::thread two([&] { write(*another, second); });
  wait_for_blocked(2);
  other.query("ROLLBACK");
  one.join();
  two.join();
}

// A tenth of the full size; the statistics say that the table is empty.
TEST_F(PostgresSession, G1_a_scan_examines_what_it_returns_whatever_the_statistics_say) {
  shop.execute("ALTER TABLE local_message SET (autovacuum_enabled = off); ANALYZE local_message");
  insert(100'000, "SUCCESS");
  insert(100'000, "SENT");
  insert(20'000, "DEAD");
  insert(100, "INIT");
  shop.execute(
      "UPDATE local_message SET gmt_modified = now() + interval '1 hour'"
      " WHERE state = 'SENT'");
  static_cast<void>(rows_examined());
  LaneRead fresh;
  fresh.message_type = "order.placed";
  const auto page = relay->read(fresh);
  ASSERT_TRUE(page.ok()) << page.error().to_string();
  EXPECT_EQ(page->rows.size(), 100U);
  EXPECT_LE(rows_examined(), 200);
  fresh.after.id = page->rows.back().id;
  EXPECT_TRUE(relay->read(fresh)->rows.empty());
  LaneRead overdue = fresh;
  overdue.lane = Lane::overdue;
  overdue.after = {};
  EXPECT_TRUE(relay->read(overdue)->rows.empty());
  LaneRead due = overdue;
  due.lane = Lane::due;
  EXPECT_TRUE(relay->read(due)->rows.empty());
  for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due}) {
    EXPECT_TRUE(relay->types_present(lane).ok());
  }
  EXPECT_LE(rows_examined(), 100);
}

TEST_F(PostgresSession, G1_a_scan_of_waiting_rows_examines_those_whose_time_came) {
  shop.execute(
      "ALTER TABLE local_message SET (autovacuum_enabled = off);"
      "ALTER TABLE local_message_delivery SET (autovacuum_enabled = off);"
      "ANALYZE local_message, local_message_delivery");
  insert(100'000, "SUCCESS");
  insert(100'000, "SENT");
  insert(20'000, "RETRY");
  shop.execute(
      "UPDATE local_message SET gmt_modified = now() - interval '1 hour' WHERE id IN"
      " (SELECT id FROM local_message WHERE state = 'SENT' ORDER BY id DESC LIMIT 100)");
  shop.execute(
      "INSERT INTO local_message_delivery (id, message_type, next_attempt_at)"
      " SELECT id, message_type, now() + interval '1 hour' * sign(row_number() OVER (ORDER BY id"
      " DESC) - 100.5) FROM local_message WHERE state = 'RETRY'");
  LaneRead waiting;
  waiting.message_type = "order.placed";
  waiting.overdue_after = std::chrono::minutes(10);
  for (const Lane lane : {Lane::overdue, Lane::due}) {
    waiting.lane = lane;
    static_cast<void>(rows_examined());
    const auto page = relay->read(waiting);
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_EQ(page->rows.size(), 100U);
    // In the index of its lane; a due row has one in each of two tables.
    EXPECT_LE(rows_examined(), 300);
  }
  static_cast<void>(rows_examined("local_message_delivery"));
  ASSERT_TRUE(relay->read(waiting).ok());
  EXPECT_LE(rows_examined("local_message_delivery"), 200);
}

// An index of a lane can be searched for ids as well, entry by entry for each of them.
TEST_F(PostgresSession, G1_a_mark_finds_its_rows_by_the_primary_key_in_a_table_without_statistics) {
  shop.execute("ALTER TABLE local_message SET (autovacuum_enabled = off)");
  insert(20'000, "INIT");
  std::vector<Mark> marks(1000);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    marks[i].id = 1 + static_cast<std::int64_t>(i);
    marks[i].from = MessageState::INIT;
  }
  for (const Cause cause : {Cause::acked_unconfirmed, Cause::confirmed}) {
    for (Mark& mark : marks) mark.cause = cause;
    static_cast<void>(lane_blocks_read());
    const auto marked = relay->mark(marks);
    ASSERT_TRUE(marked.ok()) << marked.error().to_string();
    EXPECT_EQ(std::count(marked->begin(), marked->end(), Marked::done), 1000);
    relay.reset();  // its statistics are told at the latest when it ends
    EXPECT_LE(lane_blocks_read(), 10'000) << to_string(cause);  // its new entries are written there
    relay = std::move(*store->open_relay());
    for (Mark& mark : marks) mark.from = MessageState::SENT;
  }
}

TEST_F(PostgresSession, H1_confirming_examines_the_batch_whatever_the_statistics_say) {
  shop.execute("ALTER TABLE local_message SET (autovacuum_enabled = off); ANALYZE local_message");
  insert(20'000, "SENT");
  shop.execute(
      "INSERT INTO waybill_route (message_type, destination, consumers, version)"
      " VALUES ('order.placed', 'orders', 'points', 1)");
  std::vector<Confirmation> items;
  for (int i = 1; i <= 100; ++i) {
    Confirmation item;
    item.message_id = "order/order.placed/SENT-" + std::to_string(i * 7);
    item.consumer = "points";
    items.push_back(item);
  }
  auto session = store->open_confirm();
  ASSERT_TRUE(session.ok()) << session.error().to_string();
  static_cast<void>(rows_examined());
  const auto results = (*session)->confirm(items);
  ASSERT_TRUE(results.ok()) << results.error().to_string();
  EXPECT_EQ(std::count(results->begin(), results->end(), ConfirmResult::done), 100);
  session->reset();  // its statistics are told at the latest when it ends
  EXPECT_LE(rows_examined(), 1000);
}

TEST_F(PostgresSession, H1_noting_answers_examines_the_batch_whatever_the_statistics_say) {
  shop.execute("ALTER TABLE waybill_inbox SET (autovacuum_enabled = off); ANALYZE waybill_inbox");
  shop.execute(
      "INSERT INTO waybill_inbox (consumer, message_id, sent_at)"
      " SELECT 'points', 'order/order.placed/' || i, now() FROM generate_series(1, 20000) AS i");
  const auto inbox = shop.open_inbox();
  auto session = inbox->open();
  ASSERT_TRUE(session.ok()) << session.error().to_string();
  const auto rows = (*session)->pending("points", 0, 100);
  ASSERT_TRUE(rows.ok()) << rows.error().to_string();
  ASSERT_EQ(rows->size(), 100U);
  static_cast<void>(rows_examined("waybill_inbox"));
  ASSERT_TRUE((*session)->confirmed("points", *rows).ok());
  EXPECT_EQ((*session)->pending("points", 0, 1)->front().position, 101);
  session->reset();
  EXPECT_LE(rows_examined("waybill_inbox"), 1000);
}

}  // namespace
}  // namespace waybill::postgres
