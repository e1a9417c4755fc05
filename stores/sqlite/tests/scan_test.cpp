// What a scan costs, counted in steps of SQLite's virtual machine.
#include <gtest/gtest.h>

#include "sqlite_fixture.hpp"

namespace waybill::sqlite {
namespace {

constexpr int kSteps = 10;  // between two calls of the counter
std::int64_t steps = 0;

int count_steps(void* /*unused*/) {
  steps += kSteps;
  return 0;
}

int watch(sqlite3* db, char** /*error*/, const sqlite3_api_routines* /*api*/) {
  sqlite3_progress_handler(db, kSteps, count_steps, nullptr);
  return SQLITE_OK;
}

class SqliteScan : public ::testing::Test {
 protected:
  SqliteScan() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(watch)); }
  ~SqliteScan() override { sqlite3_reset_auto_extension(); }

  // Rows of 'order.placed'; RETRY rows are due in an hour, SENT rows were sent just now.
  void insert(int rows, const std::string& state) {
    fixture_.execute(
        "INSERT INTO local_message (message_type, biz_type, identifier, content, state)"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT " +
        std::to_string(rows) + ") SELECT 'order.placed', 'order', '" + state + "-' || i, '{}', '" +
        state + "' FROM n");
    if (state == "INIT" || state == "SENT") return;
    fixture_.execute(
        "INSERT INTO local_message_delivery (id, message_type, next_attempt_at)"
        " SELECT id, message_type, CASE state WHEN 'RETRY' THEN"
        " strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 hour') END"
        " FROM local_message WHERE state = '" +
        state + "'");
  }

  template <class Call>
  std::int64_t steps_of(const Call& call) {
    steps = 0;
    const auto answer = call();
    EXPECT_TRUE(answer.ok());
    return steps;
  }

  SqliteFixture fixture_;
};

// A fiftieth of the full size; the statistics say that the tables are empty.
TEST_F(SqliteScan, G1_a_scan_examines_what_it_returns_whatever_the_statistics_say) {
  fixture_.execute("ANALYZE");
  insert(100'000, "SUCCESS");
  insert(20'000, "SENT");
  insert(4'000, "RETRY");
  insert(4'000, "DEAD");
  insert(100, "INIT");
  const auto store = fixture_.open_store();
  auto opened = store->open_relay();
  ASSERT_TRUE(opened.ok()) << opened.error().to_string();
  RelaySession& relay = **opened;
  LaneRead spec;
  spec.message_type = "order.placed";
  spec.overdue_after = std::chrono::hours(1);
  std::size_t rows = 0;
  EXPECT_LE(steps_of([&] {
              auto page = relay.read(spec);
              rows = page.ok() ? page->rows.size() : 0;
              return page;
            }),
            10'000);
  EXPECT_EQ(rows, 100U);
  for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due}) {
    SCOPED_TRACE(static_cast<int>(lane));
    EXPECT_LE(steps_of([&] { return relay.types_present(lane); }), 1'000);
    if (lane == Lane::fresh) continue;
    spec.lane = lane;
    EXPECT_LE(steps_of([&] { return relay.read(spec); }), 1'000) << "nothing is due";
    spec.rows_max = 10;
    EXPECT_LE(steps_of([&] { return relay.settled(spec); }), 1'000);
  }
  EXPECT_GT(steps_of([&] { return relay.key_blocks("order.placed", true, 100); }), 1'000)
      << "what reads many rows is counted";
}

}  // namespace
}  // namespace waybill::sqlite
