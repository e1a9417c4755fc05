// Rows that waited for a consumer which was removed from their route.
#include "engine_fixture.hpp"

namespace waybill::relay::testing {
namespace {

class EngineSettle : public EngineTest {
 protected:
  // Rows 1 to `rows`, which a broker has; the first `confirmed` of them points has done.
  void send(int rows, int confirmed) {
    set_consumers({"points", "mail"});
    make();
    insert(rows);
    bench->run_for(seconds(5));
    ASSERT_EQ(store.count(MessageState::SENT), static_cast<std::size_t>(rows));
    for (std::int64_t id = 1; id <= confirmed; ++id) store.add_receipt(id, "points");
  }

  void set_consumers(std::vector<std::string> consumers) {
    Route changed = confirmed_route("a", minutes(10));
    changed.consumers = std::move(consumers);
    store.set_route(changed);
  }
};

TEST_F(EngineSettle, H7_removing_a_consumer_completes_what_waited_for_it_only) {
  send(3000, 2000);
  set_consumers({"points"});
  bench->run_for(seconds(3));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 2000U);
  EXPECT_EQ(store.count(MessageState::SENT), 1000U);
  EXPECT_EQ(bench->seen().size(), 3000U) << "nothing is sent again for that";
}

TEST_F(EngineSettle, H7_removing_the_last_consumer_completes_what_a_broker_has) {
  send(3000, 0);
  set_consumers({});
  bench->run_for(seconds(3));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 3000U);
  EXPECT_EQ(bench->seen().size(), 3000U);
}

TEST_F(EngineSettle, H7_overdue_rows_are_not_sent_again_while_they_are_looked_at) {
  Route slow = confirmed_route("a", seconds(2));
  slow.consumers = {"points", "mail"};
  store.set_route(slow);
  BenchOptions options;
  options.store_latency = Millis(200);
  make(options);
  insert(3000);
  ASSERT_TRUE(bench->run_while([&] { return store.count(MessageState::SENT) < 3000; }, minutes(1)));
  for (std::int64_t id = 1; id <= 3000; ++id) store.add_receipt(id, "points");
  bench->run_for(seconds(10));
  const std::size_t copies = bench->seen().size();
  // points has passed them all by.
  store.set_progress({{{"a", "points", store.now(), std::chrono::days(7)}}});
  slow.consumers = {"points"};
  store.set_route(slow);
  bench->run_for(seconds(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 3000U);
  EXPECT_LE(bench->seen().size(), copies + 1) << "a probe may be on its way";
}

TEST_F(EngineSettle, H7_the_next_holder_of_the_lease_completes_what_the_last_one_left) {
  send(3000, 3000);
  bench->kill();
  set_consumers({"points"});
  auto& next = make();
  next.run_for(seconds(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 3000U);
  EXPECT_EQ(next.seen().size(), 0U);
}

TEST_F(EngineSettle, H7_a_confirmation_by_the_old_route_that_commits_late_is_found) {
  send(1, 0);
  set_consumers({"points"});
  bench->run_for(seconds(3));
  store.add_receipt(1, "points");
  bench->run_for(seconds(12));
  EXPECT_EQ(store.state(1), MessageState::SUCCESS);
  EXPECT_EQ(bench->seen().size(), 1U);
}

TEST_F(EngineSettle, H7_a_store_that_fails_meanwhile_is_asked_again) {
  send(3000, 3000);
  int failures = 3;
  store.fault = [&](std::string_view call) -> std::optional<Error> {
    if (call != "settled" || failures-- <= 0) return std::nullopt;
    return Error{Remedy::retry, "busy", {}};
  };
  set_consumers({"points"});
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 3000U);
}

TEST_F(EngineSettle, G6_once_completes_them_too) {
  send(100, 100);
  bench->kill();
  store.set_lease({});
  set_consumers({"points"});
  make({}, Mode::once).run_for(seconds(3));
  EXPECT_TRUE(bench->engine().finished());
  EXPECT_EQ(store.count(MessageState::SUCCESS), 100U);
}

}  // namespace
}  // namespace waybill::relay::testing
