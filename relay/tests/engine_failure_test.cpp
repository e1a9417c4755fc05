// Transport, destination and message failures; retries; unconfirmed messages.
#include <algorithm>
#include <cmath>
#include <utility>

#include "engine_fixture.hpp"

namespace waybill::relay::testing {
namespace {

using EngineFailure = EngineTest;

TEST_F(EngineFailure, A3_G4_an_hour_without_broker_counts_nothing_and_heals_within_5_s) {
  insert(5000);
  bool down = true;
  make().broker = [&](const MessageRow&, const std::string&) {
    return down ? PublishResult::unreachable : PublishResult::acked;
  };
  bench->run_for(hours(1));
  EXPECT_EQ(store.count(MessageState::INIT), 5000U);
  const std::size_t tries = bench->seen().size();
  EXPECT_LE(tries, 7200U + 2000U) << "a window, then single probes";
  EXPECT_GE(tries, 7000U) << "every 500 ms";
  EXPECT_TRUE(bench->raised(Alarm::destination_down));
  down = false;
  const Steady healed = clock.now();
  ASSERT_TRUE(
      bench->run_while([&] { return store.count(MessageState::SUCCESS) == 0; }, minutes(1)));
  EXPECT_LE(clock.now() - healed, seconds(5));
  bench->run_for(seconds(30));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 5000U);
  EXPECT_FALSE(bench->raised(Alarm::destination_down));
  EXPECT_EQ(bench->engine().stats().refused, 0U);
}

TEST_F(EngineFailure, L3_one_destination_down_slows_nobody_else) {
  store.set_route(route("b", "other topic"));
  insert(20'000, "a");
  insert(20'000, "b");
  make().broker = [&](const MessageRow&, const std::string& destination) {
    return destination == "topic" ? PublishResult::unreachable : PublishResult::acked;
  };
  const Steady started = clock.now();
  ASSERT_TRUE(
      bench->run_while([&] { return store.count(MessageState::SUCCESS) < 20'000; }, minutes(1)));
  const auto with_fault = clock.now() - started;

  ModelClock calm_clock;
  ModelStore calm_store(calm_clock);
  calm_store.set_route(route("b", "other topic"));
  for (int i = 0; i < 20'000; ++i) calm_store.insert("b");
  EngineBench calm(calm_clock, calm_store);
  const Steady calm_started = calm_clock.now();
  ASSERT_TRUE(
      calm.run_while([&] { return calm_store.count(MessageState::SUCCESS) < 20'000; }, minutes(1)));
  EXPECT_LE(with_fault, (calm_clock.now() - calm_started) * 3 / 2);
}

TEST_F(EngineFailure, L3_after_a_probe_the_traffic_ramps_up) {
  insert(3000);
  bool down = true;
  BenchOptions options;
  options.broker_latency = Millis(100);
  make(options).broker = [&](const MessageRow&, const std::string&) {
    return down ? PublishResult::unreachable : PublishResult::acked;
  };
  bench->run_for(seconds(10));
  down = false;
  const std::size_t before = bench->seen().size();
  ASSERT_TRUE(bench->run_while([&] { return bench->seen().size() < before + 60; }, seconds(10)));
  std::map<Steady, int> bursts;
  for (std::size_t i = before; i < before + 60; ++i) ++bursts[bench->seen()[i].at];
  EXPECT_EQ(bursts.begin()->second, 1) << "the probe";
  EXPECT_GE(bursts.size(), 5U) << "1, 2, 4, 8, …";
}

TEST_F(EngineFailure, L3_a_hanging_broker_opens_the_breaker_by_time_outs) {
  insert(2000);
  make().broker = [](const MessageRow&, const std::string&) { return PublishResult::unknown; };
  bench->run_for(minutes(1));
  EXPECT_EQ(bench->engine().destinations().at(0).gate, GateState::open);
  EXPECT_LE(bench->seen().size(), 2000U + 130U);
  EXPECT_EQ(bench->engine().stats().refused, 0U);
}

TEST_F(EngineFailure, B2_single_lost_acks_do_not_stop_the_destination) {
  insert(1000);
  make().broker = [&](const MessageRow& row, const std::string&) {
    const bool first = bench->seen_of(row.id).empty();
    return first && row.id % 50 == 0 ? PublishResult::unknown : PublishResult::acked;
  };
  bench->run_for(seconds(2));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1000U);
  EXPECT_EQ(bench->seen().size(), 1020U) << "each lost one once more";
  EXPECT_FALSE(bench->raised(Alarm::destination_down));
}

TEST_F(EngineFailure, C4_a_refusing_destination_stops_the_lane_of_its_type_only) {
  store.set_route(route("b"));
  insert(100, "a");
  insert(100, "b");
  bool denied = true;
  make().broker = [&](const MessageRow& row, const std::string&) {
    return denied && row.message_type == "a" ? PublishResult::destination_down
                                             : PublishResult::acked;
  };
  bench->run_for(minutes(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 100U);
  EXPECT_EQ(store.count(MessageState::INIT), 100U);
  EXPECT_TRUE(bench->raised(Alarm::destination_refuses));
  EXPECT_GE(bench->seen().size(), 100U + 1100U) << "probes every 500 ms, never rarer";
  denied = false;
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 200U);
  EXPECT_FALSE(bench->raised(Alarm::destination_refuses));
}

TEST_F(EngineFailure, C4_a_type_without_route_waits_with_an_alarm) {
  insert(10, "stranger");
  insert(10, "a");
  make().run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 10U);
  EXPECT_TRUE(bench->raised(Alarm::type_without_route));
  store.set_route(route("stranger"));
  bench->run_for(seconds(3));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 20U);
  EXPECT_FALSE(bench->raised(Alarm::type_without_route));
}

TEST_F(EngineFailure, G4_L4_refusals_back_off_twelve_times_and_end_DEAD) {
  insert(1);
  make().broker = [](const MessageRow&, const std::string&) { return PublishResult::rejected; };
  bench->run_for(hours(12));
  EXPECT_EQ(store.state(1), MessageState::DEAD);
  EXPECT_EQ(store.row(1).reason, "because");
  const auto tries = bench->seen_of(1);
  ASSERT_EQ(tries.size(), 12U);
  for (std::size_t i = 1; i < tries.size(); ++i) {
    const double wait = std::chrono::duration<double>(tries[i].at - tries[i - 1].at).count();
    const double planned = std::min(3600.0, std::ldexp(1.0, static_cast<int>(i) - 1));
    EXPECT_GE(wait, planned * 0.8) << "try " << i;
    EXPECT_LE(wait, planned * 1.2 + 0.5) << "try " << i;
  }
  EXPECT_EQ(bench->engine().stats().dead, 1U);
}

TEST_F(EngineFailure, L4_a_refused_row_that_is_taken_later_succeeds) {
  insert(1);
  make().broker = [&](const MessageRow&, const std::string&) {
    return bench->seen().size() < 5 ? PublishResult::rejected : PublishResult::acked;
  };
  bench->run_for(minutes(2));
  EXPECT_EQ(store.state(1), MessageState::SUCCESS);
}

TEST_F(EngineFailure, a_defect_row_is_declared_DEAD_and_not_published) {
  insert(2);
  store.set_defect(1, "headers are no JSON");
  make().run_for(seconds(2));
  EXPECT_EQ(store.state(1), MessageState::DEAD);
  EXPECT_EQ(store.state(2), MessageState::SUCCESS);
  EXPECT_TRUE(bench->seen_of(1).empty());
}

TEST_F(EngineFailure, F2_marks_that_fail_are_repeated) {
  insert(300);
  int failures = 0;
  store.fault = [&](std::string_view call) -> std::optional<Error> {
    if (call != "mark" || ++failures % 2 == 0) return std::nullopt;
    return Error{failures % 4 == 1 ? Remedy::look : Remedy::retry, "lost", {}};
  };
  make().run_for(seconds(20));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 300U);
  EXPECT_EQ(bench->seen().size(), 300U);
}

TEST_F(EngineFailure, a_store_that_fails_is_asked_at_growing_intervals) {
  make().run_for(seconds(2));
  std::size_t calls = 0;
  store.fault = [&](std::string_view) -> std::optional<Error> {
    ++calls;
    return Error{Remedy::retry, "down", {}};
  };
  bench->run_for(minutes(10));
  EXPECT_LE(calls, 10U * 60 * 11) << "the lease is asked for every 100 ms, the rest seldom";
  EXPECT_TRUE(bench->raised(Alarm::store_fails));
  store.fault = nullptr;
  insert(1);
  bench->run_for(seconds(10));
  EXPECT_EQ(store.state(1), MessageState::SUCCESS);
  EXPECT_FALSE(bench->raised(Alarm::store_fails));
}

// A read-only server, or a right that is missing: what works beside it hides nothing.
TEST_F(EngineFailure, a_store_that_reads_but_does_not_write_is_told_and_asked_seldom) {
  for (const std::string_view refused : {"take", "mark"}) {
    SCOPED_TRACE(refused);
    std::size_t calls = 0;
    store.fault = [&](std::string_view call) -> std::optional<Error> {
      if (call != refused) return std::nullopt;
      ++calls;
      return Error{Remedy::retry, "the server is read-only", {}};
    };
    const std::int64_t id = store.insert("a");
    make().run_for(minutes(5));
    EXPECT_TRUE(bench->raised(Alarm::store_fails));
    EXPECT_LE(calls, 5U * 60 * 11) << "the lease is asked for every 100 ms, the rest seldom";
    store.fault = nullptr;
    bench->run_for(seconds(10));
    EXPECT_EQ(store.state(id), MessageState::SUCCESS);
    EXPECT_FALSE(bench->raised(Alarm::store_fails));
  }
}

TEST_F(EngineFailure, H4_a_silent_consumer_is_probed_not_flooded_also_when_it_wakes_up) {
  store.set_route(confirmed_route("c"));
  store.set_progress(std::vector<ConsumerProgress>{});
  insert(20'000, "c");
  make().run_for(seconds(30));
  ASSERT_EQ(store.count(MessageState::SENT), 20'000U);
  bench->run_for(hours(1));
  const std::uint64_t resent = bench->engine().stats().resent;
  EXPECT_GE(resent, 3U);
  EXPECT_LE(resent, 100U);
  EXPECT_TRUE(bench->raised(Alarm::consumer_silent));
  // It wakes up and works off what the broker kept, oldest first.
  const DatabaseTime first_sent = store.row(1).gmt_create;
  for (std::int64_t id = 1; id <= 20'000; ++id) store.confirm(id);
  store.set_progress(std::vector<ConsumerProgress>{{"c", "points", first_sent, hours(168)}});
  store.set_route(confirmed_route("c"));  // a new version, so that the bench reads it
  bench->run_for(minutes(5));
  EXPECT_LE(bench->engine().stats().resent, 100U);
}

TEST_F(EngineFailure, H5_what_the_consumer_has_passed_by_is_sent_again) {
  store.set_route(confirmed_route("c"));
  insert(500, "c");
  make().run_for(seconds(1));
  ASSERT_EQ(store.count(MessageState::SENT), 500U);
  for (std::int64_t id = 1; id <= 490; ++id) store.confirm(id);  // ten were lost
  store.set_progress(
      std::vector<ConsumerProgress>{{"c", "points", store.now() + minutes(2), hours(168)}});
  store.set_route(confirmed_route("c"));
  bench->run_for(seconds(35));
  EXPECT_EQ(bench->engine().stats().resent, 10U);
  for (std::int64_t id = 491; id <= 500; ++id) EXPECT_EQ(bench->seen_of(id).size(), 2U);
  EXPECT_EQ(store.count(MessageState::RETRY), 10U);
}

TEST_F(EngineFailure, H5_what_was_lost_before_an_outage_is_sent_again_soon_after_it) {
  store.set_route(confirmed_route("c", seconds(1)));
  store.set_progress(std::vector<ConsumerProgress>{});
  insert(30, "c");
  bool down = false;
  make().broker = [&](const MessageRow&, const std::string&) {
    return down ? PublishResult::unreachable : PublishResult::acked;
  };
  bench->run_for(Millis(500));
  ASSERT_EQ(store.count(MessageState::SENT), 30U);
  down = true;  // and what it had is lost
  insert(50, "c");
  bench->run_for(minutes(2));
  down = false;
  bench->run_for(seconds(2));
  store.set_progress(std::vector<ConsumerProgress>{{"c", "points", store.now(), hours(168)}});
  store.set_route(confirmed_route("c", seconds(1)));
  bench->run_for(seconds(5));
  for (std::int64_t id = 1; id <= 30; ++id) {
    EXPECT_EQ(bench->seen_of(id).back().result, PublishResult::acked);
    EXPECT_GE(bench->seen_of(id).size(), 2U) << id;
  }
}

TEST_F(EngineFailure, H4_without_progress_records_copies_are_paced_and_their_waits_double) {
  store.set_route(confirmed_route("c", seconds(1)));
  insert(1000, "c");
  make().run_for(seconds(11));
  EXPECT_LE(bench->engine().stats().resent, 11U * 20 + 10);
  EXPECT_GE(bench->engine().stats().resent, 100U);
  for (std::int64_t id = 2; id <= 1000; ++id) store.confirm(id);
  bench->run_for(hours(10));
  const auto copies = bench->seen_of(1);
  ASSERT_GE(copies.size(), 6U);
  for (std::size_t i = 3; i < std::min<std::size_t>(copies.size(), 10); ++i) {
    const auto before = copies[i - 1].at - copies[i - 2].at;
    EXPECT_GE(copies[i].at - copies[i - 1].at, before * 3 / 2) << "copy " << i;
  }
  EXPECT_LE(copies.size(), 30U) << "an hour at most, but not much less";
}

TEST_F(EngineFailure, H10_an_accepted_message_beyond_the_horizon_is_DEAD) {
  store.set_route(confirmed_route("c"));
  store.set_progress(std::vector<ConsumerProgress>{{"c", "points", DatabaseTime{}, hours(2)}});
  insert(1, "c");
  make().run_for(hours(4));
  EXPECT_EQ(store.state(1), MessageState::DEAD);
  const auto copies = bench->seen_of(1);
  EXPECT_LE(copies.back().at - copies.front().at, hours(2)) << "no copy beyond it";
}

TEST(Progress, I5_the_consumer_that_forgets_first_sets_the_horizon) {
  Route both = confirmed_route("c");
  both.consumers = {"points", "mail"};
  const auto retention = [&](const std::optional<std::vector<ConsumerProgress>>& known) {
    return progress_of(0, "c", &both, known, days(7)).retention;
  };
  const ConsumerProgress points{"c", "points", {}, days(30)};
  EXPECT_EQ(retention({{points, {"c", "mail", {}, days(20)}}}), days(20));
  EXPECT_EQ(retention({{points, {"c", "mail", {}, days(3)}}}), days(3));
  EXPECT_EQ(retention({{points}}), days(7)) << "mail has said nothing";
  EXPECT_EQ(retention({{points, {"d", "mail", {}, days(20)}}}), days(7)) << "of another type";
  EXPECT_EQ(retention({{points, {"c", "audit", {}, days(3)}}}), days(7)) << "nobody waits for it";
  EXPECT_EQ(retention(std::nullopt), days(7));
}

TEST(Progress, the_slowest_consumer_counts) {
  Route both = confirmed_route("c");
  both.consumers = {"points", "mail"};
  const auto confirmed_sent = [&](const std::optional<std::vector<ConsumerProgress>>& known) {
    return progress_of(0, "c", &both, known, days(7)).confirmed_sent;
  };
  const DatabaseTime early(days(1));
  const DatabaseTime late(days(2));
  EXPECT_EQ(confirmed_sent({{{"c", "points", late}, {"c", "mail", early}}}), early);
  EXPECT_EQ(confirmed_sent({{{"c", "points", late}}}), DatabaseTime{});
  EXPECT_EQ(confirmed_sent(std::nullopt), DatabaseTime{});
}

TEST_F(EngineFailure, L1_a_database_clock_that_jumps_ahead_and_back_kills_nothing) {
  store.set_route(confirmed_route("c", minutes(10)));
  store.set_progress(std::vector<ConsumerProgress>{});
  insert(3, "c");
  make().run_for(seconds(5));
  store.jump(days(8));
  bench->run_for(minutes(5));
  store.jump(-days(8));
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::DEAD), 0U) << "of those that were read meanwhile";
  insert(3, "c");
  bench->run_for(hours(6));
  EXPECT_EQ(store.count(MessageState::DEAD), 0U) << "of those that came afterwards";
}

TEST_F(EngineFailure, H10_a_database_clock_that_was_set_right_is_believed_again) {
  store.set_route(confirmed_route("c"));
  store.set_progress(std::vector<ConsumerProgress>{});
  insert(3, "c");
  make().run_for(seconds(5));
  store.jump(days(8));
  bench->run_for(hours(2));
  EXPECT_EQ(store.count(MessageState::DEAD), 3U);
}

TEST_F(EngineFailure, H10_what_was_never_accepted_has_no_age_limit) {
  store.set_route(confirmed_route("c"));
  store.set_progress(std::vector<ConsumerProgress>{{"c", "points", DatabaseTime{}, hours(2)}});
  insert(2, "c");
  bool refused = false;
  bool down = true;
  make().broker = [&](const MessageRow& row, const std::string&) {
    if (row.id == 1 && !std::exchange(refused, true)) return PublishResult::rejected;
    return down ? PublishResult::unreachable : PublishResult::acked;
  };
  bench->run_for(hours(4));
  EXPECT_EQ(store.state(1), MessageState::RETRY);
  EXPECT_EQ(store.state(2), MessageState::INIT);
  down = false;
  bench->run_for(seconds(5));
  for (const std::int64_t id : {1, 2}) {
    EXPECT_EQ(bench->seen_of(id).back().result, PublishResult::acked) << id;
  }
}

TEST_F(EngineFailure, H7_rows_of_a_type_that_nobody_confirms_any_more_are_finished) {
  store.set_route(confirmed_route("c"));
  insert(100, "c");
  make().run_for(seconds(2));
  ASSERT_EQ(store.count(MessageState::SENT), 100U);
  store.set_route(route("c"));
  bench->run_for(seconds(60));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 100U);
  EXPECT_EQ(bench->seen().size(), 100U) << "without another copy";
}

}  // namespace
}  // namespace waybill::relay::testing
