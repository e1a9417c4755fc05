// What MariaDB adds: its locks, its time zones, its plans.
#include <algorithm>
#include <thread>
#include <vector>

#include "mariadb_fixture.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::mariadb {
namespace {

Mark mark_of(std::int64_t id, Cause cause) {
  Mark mark;
  mark.id = id;
  mark.cause = cause;
  return mark;
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

  // Ids page by page, in the order of the lane; `bytes` has room for two rows and ends in a third.
  static std::vector<std::int64_t> read_to_the_end(RelaySession& session, Lane lane,
                                                   std::size_t bytes) {
    std::vector<std::int64_t> seen;
    LaneRead spec;
    spec.lane = lane;
    spec.message_type = "order.placed";
    spec.bytes_max = bytes;
    for (bool exhausted = false; !exhausted && seen.size() < 100;) {
      const LanePage page = testing::must(session.read(spec));
      exhausted = page.exhausted;
      EXPECT_TRUE(exhausted || page.rows.size() == 3U) << page.rows.size();
      for (const MessageRow& row : page.rows) {
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
  EXPECT_TRUE(testing::wait_until([&] { return shop.waiting_statements() == 1; }));
  other.query("UPDATE local_message SET content = 'x' WHERE id = 1; COMMIT");
  blocked.join();
  EXPECT_EQ(*relay->mark(marks), (std::vector{Marked::done, Marked::done}));
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
  EXPECT_TRUE(testing::wait_until([&] { return shop.waiting_statements() == 1; }));
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

TEST_F(MariadbSession, G2_a_page_of_fresh_rows_is_the_same_whether_they_lie_close_together_or_not) {
  insert(40);
  insert(40, "SUCCESS");
  insert(3, "SENT");
  const auto keep = [&](const std::string& condition) {
    shop.execute("UPDATE local_message SET state = IF(" + condition + ", 'INIT', 'SUCCESS')");
    std::vector<std::int64_t> wanted;
    for (const std::string& id :
         shop.query("SELECT id FROM local_message WHERE state = 'INIT' ORDER BY id")) {
      wanted.push_back(std::stoll(id));
    }
    return wanted;
  };
  for (const char* condition :
       {"id <= 40", "MOD(id, 2) = 1", "MOD(id, 9) = 1", "id IN (1, 2, 83)", "id = 83", "FALSE"}) {
    const std::vector<std::int64_t> wanted = keep(condition);
    std::vector<std::int64_t> seen;
    LaneRead spec;
    spec.message_type = "order.placed";
    spec.rows_max = 7;
    for (bool exhausted = false; !exhausted && seen.size() < 100;) {
      const auto page = relay->read(spec);
      ASSERT_TRUE(page.ok()) << page.error().to_string();
      EXPECT_TRUE(page->exhausted || page->rows.size() == 7U) << condition;
      for (const MessageRow& row : page->rows) seen.push_back(row.id);
      exhausted = page->exhausted;
      if (!seen.empty()) spec.after.id = seen.back();
    }
    EXPECT_EQ(seen, wanted) << condition;
  }
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

}  // namespace
}  // namespace waybill::mariadb
