// The happy path, its limits, late committers and backlogs.
#include <algorithm>
#include <set>

#include "engine_fixture.hpp"

namespace waybill::relay::testing {
namespace {

using EngineFlow = EngineTest;

TEST_F(EngineFlow, F1_a_row_is_marked_only_after_its_ack) {
  insert(2500);
  make().run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 2500U);
  EXPECT_EQ(bench->seen().size(), 2500U);
  EXPECT_EQ(bench->engine().stats().marked, 2500U);
  EXPECT_EQ(bench->engine().stats().in_flight, 0U);
}

TEST_F(EngineFlow, E5_a_row_that_was_marked_while_a_read_was_under_way_is_not_sent_again) {
  BenchOptions slow;
  slow.store_latency = Millis(20);
  slow.store_jitter = Millis(20);
  make(slow);
  for (int i = 0; i < 500; ++i) {
    insert(2);
    bench->ring();
    bench->run_for(Millis(7));
  }
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1000U);
  EXPECT_EQ(bench->seen().size(), 1000U);
}

TEST_F(EngineFlow, F6_a_due_row_that_was_marked_while_a_read_was_under_way_is_not_sent_again) {
  BenchOptions slow;
  slow.store_latency = Millis(5);
  slow.store_jitter = Millis(60);
  slow.broker_latency = Millis(500);
  slow.broker_jitter = Millis(2000);
  make(slow);
  std::set<std::int64_t> refused;
  bench->broker = [&](const MessageRow& row, const std::string&) {
    return refused.insert(row.id).second ? PublishResult::rejected : PublishResult::acked;
  };
  for (int i = 0; i < 500; ++i) {
    insert(2);
    bench->run_for(Millis(20));
  }
  bench->run_for(seconds(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1000U);
  EXPECT_EQ(bench->seen().size(), 2000U);
}

TEST_F(EngineFlow, the_same_seed_and_events_give_the_same_actions) {
  const auto trace = [](std::uint64_t seed) {
    ModelClock its_clock;
    ModelStore its_store(its_clock);
    its_store.set_route(route("a"));
    its_store.set_route(route("b", "other"));
    for (int i = 0; i < 500; ++i) its_store.insert(i % 3 == 0 ? "b" : "a");
    BenchOptions options;
    options.seed = seed;
    EngineBench run(its_clock, its_store, options);
    std::uint64_t calls = 0;
    run.broker = [&](const MessageRow&, const std::string&) {
      constexpr PublishResult kResults[] = {PublishResult::acked, PublishResult::rejected,
                                            PublishResult::unknown, PublishResult::unreachable};
      return kResults[(++calls * 7) % 4];
    };
    std::string text;
    run.watch = [&](const Action& action) {
      text += std::to_string(action.index());
      if (const auto* publish = std::get_if<Publish>(&action)) text += std::to_string(publish->id);
      if (const auto* judge = std::get_if<JudgeRows>(&action)) {
        for (const RowMark& mark : judge->marks) text += std::to_string(mark.due_in.count()) + " ";
      }
    };
    run.run_for(minutes(2));
    return text;
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8)) << "the jitter comes from the seed";
}

TEST_F(EngineFlow, F5_a_row_that_commits_between_read_and_mark_is_not_finished_unpublished) {
  for (std::int64_t id = 1; id <= 10; ++id) {
    if (id != 5) store.insert("a", {}, id);
  }
  bool inserted = false;
  make().watch = [&](const Action& action) {
    if (std::holds_alternative<MarkRows>(action) && !inserted) {
      inserted = true;
      store.insert("a", {}, 5);
    }
  };
  bench->run_for(seconds(3));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 10U);
  EXPECT_EQ(bench->seen_of(5).size(), 1U) << "it was published before it was finished";
}

TEST_F(EngineFlow, G7_a_late_committer_of_the_last_seconds_is_found_within_250_ms) {
  make().run_for(seconds(1));
  for (std::int64_t id = 2; id <= 400; ++id) {
    store.insert("a", {}, id);
    bench->run_for(Millis(20));  // 8 s altogether
  }
  ASSERT_EQ(store.count(MessageState::INIT), 0U);
  const Steady committed = clock.now();
  store.insert("a", {}, 1);
  ASSERT_TRUE(bench->run_while([&] { return bench->seen_of(1).empty(); }, seconds(20)));
  // The list of types notices it at the next poll, 100 ms at most.
  EXPECT_LE(bench->seen_of(1)[0].at - committed, Millis(400));
}

TEST_F(EngineFlow, G7_an_old_transaction_is_found_by_a_rescan) {
  make().run_for(seconds(1));
  for (std::int64_t id = 2; id <= 400; ++id) {
    store.insert("a", {}, id);
    bench->run_for(Millis(150));  // a minute
  }
  const Steady committed = clock.now();
  store.insert("a", {}, 1);
  ASSERT_TRUE(bench->run_while([&] { return bench->seen_of(1).empty(); }, seconds(20)));
  EXPECT_LE(bench->seen_of(1)[0].at - committed, Millis(5200));
}

TEST_F(EngineFlow, a_window_is_bounded_by_rows) {
  insert(5000);
  BenchOptions options;
  options.engine.window = 50;
  options.broker_latency = Millis(20);
  make(options).run_for(seconds(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 5000U);
  EXPECT_LE(bench->in_flight_max(), 100U) << "one window publishing, one read ahead";
}

TEST_F(EngineFlow, a_window_is_bounded_by_bytes) {
  insert(200);  // some 14 bytes each
  BenchOptions options;
  options.engine.window_bytes = 100;
  make(options).run_for(seconds(20));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 200U);
  EXPECT_LE(bench->bytes_max(), 100U);
}

TEST_F(EngineFlow, a_row_larger_than_the_window_still_goes) {
  insert(3);
  BenchOptions options;
  options.engine.window_bytes = 5;
  options.engine.bytes_max = 5;
  options.engine.page_bytes = 5;
  make(options).run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 3U);
  EXPECT_EQ(bench->in_flight_max(), 1U);
}

TEST_F(EngineFlow, all_rows_together_are_bounded) {
  for (const char* type : {"b", "c", "d", "e"}) {
    store.set_route(route(type, std::string("topic ") + type));
    insert(500, type);
  }
  BenchOptions options;
  options.engine.rows_max = 120;
  options.engine.page_rows = 40;
  options.broker_latency = Millis(50);
  std::size_t most = 0;
  make(options).watch = [&](const Action&) {
    most = std::max(most, bench->engine().stats().in_flight);
  };
  bench->run_for(seconds(60));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 2000U);
  EXPECT_LE(most, 120U);
}

TEST_F(EngineFlow, G5_fresh_rows_stay_fast_while_a_backlog_drains) {
  insert(60'000);
  BenchOptions options;
  options.broker_latency = Millis(500);  // 4000 rows/s at most
  make(options).run_for(seconds(2));
  std::vector<std::pair<std::int64_t, Steady>> fresh;
  while (store.count(MessageState::INIT) > 20'000) {
    fresh.emplace_back(store.insert("a"), clock.now());
    bench->run_for(Millis(50));
  }
  ASSERT_GT(fresh.size(), 50U);
  Steady::duration slowest{};
  for (const auto& [id, committed] : fresh) {
    const auto seen = bench->seen_of(id);
    ASSERT_EQ(seen.size(), 1U) << "row " << id << " of " << fresh.size() << " waited";
    slowest = std::max(slowest, seen[0].at - committed);
  }
  EXPECT_LE(slowest, seconds(2));
  ASSERT_TRUE(bench->run_while([&] { return store.count(MessageState::INIT) > 0; }, minutes(5)));
  EXPECT_EQ(bench->seen().size(), store.count(MessageState::SUCCESS)) << "each once";
}

TEST_F(EngineFlow, A2_after_ten_minutes_of_outage_new_orders_are_published_within_seconds) {
  BenchOptions options;
  options.broker_latency = Millis(250);  // 4000 rows/s at most, 100 a second are placed
  bool is_down = true;
  make(options).broker = [&](const MessageRow&, const std::string&) {
    return is_down ? PublishResult::unreachable : PublishResult::acked;
  };
  const auto place_for = [&](seconds time, std::vector<std::pair<std::int64_t, Steady>>* placed) {
    for (const Steady until = clock.now() + time; clock.now() < until;) {
      for (int i = 0; i < 10; ++i) {
        const std::int64_t id = store.insert("a");
        if (placed != nullptr) placed->emplace_back(id, clock.now());
      }
      bench->run_for(Millis(100));
    }
  };
  place_for(seconds(600), nullptr);
  EXPECT_EQ(store.count(MessageState::INIT), 60'000U);
  is_down = false;
  std::vector<std::pair<std::int64_t, Steady>> placed;
  place_for(seconds(30), &placed);
  bench->run_for(seconds(5));
  std::vector<Steady::duration> waits;
  for (const auto& [id, committed] : placed) {
    const auto seen = bench->seen_of(id);
    ASSERT_EQ(seen.size(), 1U) << "row " << id;
    waits.push_back(seen[0].at - committed);
  }
  std::sort(waits.begin(), waits.end());
  EXPECT_LE(waits[waits.size() * 99 / 100], seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 63'000U) << "the backlog drained meanwhile";
}

TEST_F(EngineFlow, G2_rows_that_always_fail_stop_nobody_else) {
  insert(1000);
  const std::int64_t good = store.insert("a");
  BenchOptions options;
  options.engine.window = 100;
  make(options).broker = [&](const MessageRow& row, const std::string&) {
    return row.id == good ? PublishResult::acked : PublishResult::rejected;
  };
  bench->run_for(seconds(10));
  EXPECT_EQ(store.state(good), MessageState::SUCCESS);
  EXPECT_EQ(store.count(MessageState::RETRY), 1000U);
}

TEST_F(EngineFlow, G5_a_type_with_a_backlog_leaves_room_for_the_others) {
  store.set_route(route("b"));
  insert(50'000, "a");
  BenchOptions options;
  options.broker_latency = Millis(100);
  make(options).run_for(seconds(1));
  const std::int64_t other = store.insert("b");
  const Steady committed = clock.now();
  ASSERT_TRUE(bench->run_while([&] { return bench->seen_of(other).empty(); }, seconds(10)));
  EXPECT_LE(clock.now() - committed, Millis(500));
}

TEST_F(EngineFlow, G5_many_types_are_all_served) {
  for (int i = 0; i < 50; ++i) {
    const std::string type = "type " + std::to_string(i);
    store.set_route(route(type));
    insert(200, type);
  }
  make().run_for(seconds(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 10'000U);
}

TEST_F(EngineFlow, more_types_than_the_limit_wait_with_an_alarm) {
  for (int i = 0; i < 5; ++i) {
    const std::string type = "type " + std::to_string(i);
    store.set_route(route(type));
    insert(1, type);
  }
  BenchOptions options;
  options.engine.types_max = 3;
  make(options).run_for(seconds(2));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 3U);
  EXPECT_TRUE(bench->raised(Alarm::too_many_types));
}

TEST_F(EngineFlow, an_idle_engine_polls_seldom) {
  make().run_for(seconds(10));
  const std::uint64_t before = bench->reads();
  std::size_t lists = 0;
  bench->watch = [&](const Action& action) {
    lists += std::holds_alternative<ListTypes>(action) ? 1U : 0U;
  };
  bench->run_for(seconds(10));
  EXPECT_EQ(bench->reads(), before);
  EXPECT_LE(lists, 10U * (10 + 5 + 5) + 5) << "fresh each 100 ms, due and overdue each 200 ms";
}

TEST_F(EngineFlow, a_ring_is_answered_at_once) {
  make().run_for(seconds(10));
  const std::int64_t id = store.insert("a");
  const Steady rung = clock.now();
  bench->ring();
  ASSERT_TRUE(bench->run_while([&] { return bench->seen_of(id).empty(); }, seconds(1)));
  EXPECT_LE(bench->seen_of(id)[0].at - rung, Millis(3)) << "a list, a read, a publish";
}

TEST_F(EngineFlow, many_rings_are_one) {
  make().run_for(seconds(10));
  std::size_t lists = 0;
  bench->watch = [&](const Action& action) {
    lists += std::holds_alternative<ListTypes>(action) ? 1U : 0U;
  };
  for (int i = 0; i < 1000; ++i) bench->ring();
  bench->run_for(Millis(10));
  EXPECT_LE(lists, 12U);
}

TEST_F(EngineFlow, E5_rows_of_in_process_types_wait_for_the_grace_and_are_read_again) {
  Route sync = route("s");
  sync.dispatch = Dispatch::sync;
  store.set_route(sync);
  make().run_for(seconds(1));
  const Steady committed = clock.now();
  const std::int64_t sent = store.insert("s");
  const std::int64_t left = store.insert("s");
  bench->run_for(Millis(800));
  store.set_state(sent, MessageState::SUCCESS);
  bench->run_for(seconds(5));
  EXPECT_TRUE(bench->seen_of(sent).empty()) << "the sender marked it within its grace";
  ASSERT_EQ(bench->seen_of(left).size(), 1U);
  EXPECT_GE(bench->seen_of(left)[0].at - committed, seconds(1));
  EXPECT_LE(bench->seen_of(left)[0].at - committed, Millis(1300));
}

TEST_F(EngineFlow, E5_many_held_rows_of_which_the_sender_takes_most) {
  Route sync = route("s");
  sync.dispatch = Dispatch::sync;
  store.set_route(sync);
  make().run_for(seconds(1));
  std::vector<std::int64_t> left;
  for (int i = 0; i < 2000; ++i) {
    const std::int64_t id = store.insert("s");
    bench->run_for(Millis(2));
    if (i % 10 == 0) {
      left.push_back(id);
    } else {
      store.set_state(id, MessageState::SUCCESS);
    }
  }
  bench->run_for(seconds(5));
  EXPECT_EQ(bench->seen().size(), left.size());
  EXPECT_EQ(store.count(MessageState::INIT), 0U);
}

TEST_F(EngineFlow, held_rows_are_bounded) {
  Route sync = route("s");
  sync.dispatch = Dispatch::sync;
  store.set_route(sync);
  insert(1000, "s");
  BenchOptions options;
  options.engine.held_max = 100;
  make(options).run_for(seconds(60));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1000U);
}

TEST_F(EngineFlow, G6_once_ends_when_everything_is_published) {
  insert(1500);
  make({}, Mode::once);
  ASSERT_TRUE(bench->run_while([&] { return !bench->engine().finished(); }, seconds(30)));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1500U);
  EXPECT_EQ(store.lease_view().holder, "");
  EXPECT_EQ(bench->engine().stats().left, 0U);
}

TEST_F(EngineFlow, G6_once_waits_for_held_rows_and_counts_refused_ones_as_left) {
  Route async = route("s");
  async.dispatch = Dispatch::async;
  store.set_route(async);
  insert(10, "s");
  make({}, Mode::once).broker = [](const MessageRow& row, const std::string&) {
    return row.id == 3 ? PublishResult::rejected : PublishResult::acked;
  };
  ASSERT_TRUE(bench->run_while([&] { return !bench->engine().finished(); }, seconds(30)));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 9U);
  EXPECT_EQ(bench->engine().stats().left, 1U);
  EXPECT_EQ(bench->engine().stats().refused, 1U);
}

}  // namespace
}  // namespace waybill::relay::testing
