// Leases, take-overs, zombies, order per key, and many faults at once.
#include <algorithm>
#include <random>

#include "engine_fixture.hpp"

namespace waybill::relay::testing {
namespace {

using EngineLease = EngineTest;

// Lets benches on one clock take turns, event by event.
void run_together(ModelClock& clock, const std::vector<EngineBench*>& benches, Steady end) {
  for (;;) {
    EngineBench* next = *std::min_element(benches.begin(), benches.end(), [](auto* a, auto* b) {
      return a->next_at() < b->next_at();
    });
    if (next->next_at() > end) break;
    clock.set(next->next_at());
    next->step();
  }
  clock.set(end);
}

TEST_F(EngineLease, a_free_lease_is_taken_at_once) {
  make().run_for(Millis(10));
  EXPECT_TRUE(bench->engine().stats().is_leader);
  EXPECT_EQ(store.lease_view().holder, "bench");
}

TEST_F(EngineLease, a_held_lease_is_taken_only_after_it_stood_still_for_ttl_and_margin) {
  store.set_lease({4, 0, "other"});
  make().run_for(Millis(2499));
  EXPECT_FALSE(bench->engine().stats().is_leader);
  bench->run_for(Millis(500));
  EXPECT_TRUE(bench->engine().stats().is_leader);
  EXPECT_EQ(bench->engine().stats().fence, 5U);
}

TEST_F(EngineLease, a_lease_that_counts_up_is_left_alone) {
  make();
  for (std::uint64_t counter = 0; counter < 100; ++counter) {
    store.set_lease({4, counter, "other"});
    bench->run_for(seconds(1));
  }
  EXPECT_FALSE(bench->engine().stats().is_leader);
}

TEST_F(EngineLease, G3_a_killed_holder_is_followed_within_twice_the_ttl) {
  insert(100);
  make().run_for(seconds(1));
  EngineBench standby(clock, store, {.engine = {}, .seed = 2, .holder = "standby"});
  run_together(clock, {bench.get(), &standby}, clock.now() + seconds(10));
  ASSERT_FALSE(standby.engine().stats().is_leader);
  bench->kill();
  const Steady killed = clock.now();
  insert(100);
  ASSERT_TRUE(standby.run_while([&] { return store.count(MessageState::INIT) > 0; }, minutes(1)));
  EXPECT_LE(clock.now() - killed, seconds(4));
  EXPECT_EQ(standby.seen().size(), 100U);
}

// A database that failed over to a copy which was behind gives the same fence out twice.
TEST_F(EngineLease, L2_of_two_holders_under_one_fence_only_that_in_the_table_goes_on) {
  for (const Remedy lost : {Remedy::retry, Remedy::look}) {
    store.set_lease({});
    make().run_for(seconds(1));
    ASSERT_TRUE(bench->engine().stats().is_leader);
    store.set_lease({bench->engine().stats().fence, 5, "other"});
    bool fails = lost == Remedy::look;
    store.fault = [&](std::string_view call) -> std::optional<Error> {
      if (call != "renew" || !std::exchange(fails, false)) return std::nullopt;
      return Error{lost, "answer lost", {}};
    };
    bench->run_for(seconds(1));
    EXPECT_TRUE(bench->engine().stats().was_deposed);
    EXPECT_FALSE(bench->engine().stats().is_leader);
    EXPECT_EQ(store.lease_view().counter, 5U);
    bench->stop();
    ASSERT_TRUE(bench->run_while([&] { return !bench->engine().finished(); }, seconds(5)));
    EXPECT_EQ(store.lease_view().holder, "other");
  }
}

TEST_F(EngineLease, L2_a_holder_that_cannot_renew_stops_publishing_before_others_may_start) {
  make().run_for(seconds(5));
  const Steady cut = clock.now();
  store.fault = [&](std::string_view call) -> std::optional<Error> {
    if (call == "renew") return Error{Remedy::retry, "cut off", {}};
    return std::nullopt;
  };
  for (int i = 0; i < 1000; ++i) {
    store.insert("a");
    bench->run_for(Millis(10));
  }
  const Steady last = bench->seen().back().at;
  EXPECT_LE(last - cut, Millis(1500)) << "ttl - margin after it last asked";
  EXPECT_GE(last - cut, Millis(700));
  store.fault = nullptr;
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1000U) << "nobody took it: it goes on";
}

TEST_F(EngineLease, a_lost_answer_to_a_renewal_is_looked_up) {
  int renewals = 0;
  store.fault = [&](std::string_view call) -> std::optional<Error> {
    if (call == "renew" && ++renewals % 3 == 0) return Error{Remedy::look, "answer lost", {}};
    return std::nullopt;
  };
  make().run_for(minutes(2));
  EXPECT_EQ(store.lease_view().fence, 1U);
  EXPECT_TRUE(bench->engine().stats().is_leader);
}

TEST_F(EngineLease, F4_a_deposed_relay_judges_nothing_but_its_facts_count) {
  insert(2);
  make().broker = [](const MessageRow& row, const std::string&) {
    return row.id == 1 ? PublishResult::rejected : PublishResult::acked;
  };
  bench->watch = [&](const Action& action) {
    if (std::holds_alternative<Publish>(action)) store.set_lease({9, 0, "usurper"});
  };
  bench->run_for(seconds(1));
  EXPECT_EQ(store.state(1), MessageState::INIT);
  EXPECT_EQ(store.state(2), MessageState::SUCCESS);
  EXPECT_FALSE(bench->engine().stats().is_leader);
  EXPECT_TRUE(bench->engine().stats().was_deposed);
}

// A relay whose lease is lost while its broker takes `latency` to answer.
class EngineLeaseLost : public EngineTest {
 protected:
  void lose_lease_before_answer(Route of, PublishResult answer, Millis latency) {
    store.set_route(std::move(of));
    store.insert("o", "k");
    BenchOptions options;
    options.broker_latency = latency;
    make(options).broker = [this, answer](const MessageRow&, const std::string&) {
      return bench->seen().empty() ? answer : PublishResult::acked;
    };
    bench->watch = [this](const Action& action) {
      const bool first = std::holds_alternative<Publish>(action) && bench->seen().empty();
      if (first) store.set_lease({9, 0, "usurper"});
    };
    ASSERT_TRUE(bench->run_while([&] { return bench->seen().empty(); }, seconds(5)));
    ASSERT_TRUE(bench->run_while([&] { return bench->engine().stats().is_leader; }, seconds(5)));
  }

  void expect_a_stop_leaves_the_row() {
    bench->stop();
    EXPECT_TRUE(bench->run_while([&] { return !bench->engine().finished(); }, seconds(5)));
    EXPECT_EQ(bench->engine().stats().in_flight, 0U);
    EXPECT_EQ(store.state(1), MessageState::INIT);
  }
};

TEST_F(EngineLeaseLost, F4_a_refusal_that_comes_later_keeps_no_stop_waiting) {
  lose_lease_before_answer(route("o"), PublishResult::rejected, seconds(3));
  expect_a_stop_leaves_the_row();
}

TEST_F(EngineLeaseLost, F4_an_ack_of_an_ordered_type_that_comes_later_keeps_no_stop_waiting) {
  Route chained = confirmed_route("o");
  chained.ordering = Ordering::confirmed;
  lose_lease_before_answer(chained, PublishResult::acked, seconds(3));
  expect_a_stop_leaves_the_row();
}

TEST_F(EngineLeaseLost, F4_a_refusal_from_an_earlier_lease_is_not_judged_under_the_next_one) {
  Route ordered = route("o");
  ordered.ordering = Ordering::publish;
  for (const Route& of : {route("o"), ordered}) {
    for (const Millis latency : {Millis(3000), Millis(8000)}) {  // before and after it leads again
      lose_lease_before_answer(of, PublishResult::rejected, latency);
      ASSERT_TRUE(bench->run_while([&] { return bench->seen().size() < 2; }, minutes(1)));
      ASSERT_TRUE(
          bench->run_while([&] { return bench->engine().stats().in_flight > 0; }, minutes(1)));
      const std::int64_t id = store.ids().back();
      EXPECT_EQ(store.row(id).refusals, 0U) << latency.count();
      EXPECT_EQ(store.state(id), MessageState::SUCCESS) << latency.count();
      bench->kill();
      store.set_lease({});
    }
  }
}

TEST_F(EngineLease, a_stop_marks_what_is_in_flight_and_releases) {
  insert(5000);
  BenchOptions options;
  options.broker_latency = Millis(100);
  make(options).run_for(Millis(50));
  bench->stop();
  ASSERT_TRUE(bench->run_while([&] { return !bench->engine().finished(); }, seconds(10)));
  EXPECT_EQ(store.count(MessageState::SUCCESS), bench->seen().size());
  EXPECT_GT(store.count(MessageState::INIT), 0U);
  EXPECT_EQ(store.lease_view().holder, "");
}

TEST_F(EngineLease, a_stop_of_a_standby_ends_at_once) {
  store.set_lease({4, 0, "other"});
  make().run_for(Millis(10));
  bench->stop();
  EXPECT_TRUE(bench->run_while([&] { return !bench->engine().finished(); }, seconds(1)));
  EXPECT_EQ(store.lease_view().holder, "other");
}

TEST_F(EngineLease, K1_rows_of_a_key_leave_in_order_whatever_fails) {
  Route ordered = route("o");
  ordered.ordering = Ordering::publish;
  store.set_route(ordered);
  std::mt19937_64 random(11);
  for (int i = 0; i < 2000; ++i) store.insert("o", "key " + std::to_string(random() % 20));
  make().broker = [&](const MessageRow&, const std::string&) {
    const auto dice = random() % 100;
    if (dice < 3) return PublishResult::rejected;
    if (dice < 6) return PublishResult::unknown;
    if (dice < 7) return PublishResult::unreachable;
    return PublishResult::acked;
  };
  ASSERT_TRUE(bench->run_while([&] { return store.count(MessageState::INIT) > 0; }, hours(2)))
      << store.count(MessageState::INIT) << " left";
  std::map<std::string, std::int64_t> newest;
  for (const Seen& seen : bench->seen()) {
    if (seen.result != PublishResult::acked) continue;
    EXPECT_GT(seen.id, newest[seen.key]) << "key " << seen.key;
    newest[seen.key] = seen.id;
  }
}

TEST_F(EngineLease, K2_a_stuck_key_does_not_slow_the_others_and_goes_on_in_order) {
  Route ordered = route("o");
  ordered.ordering = Ordering::publish;
  store.set_route(ordered);
  for (int i = 0; i < 1000; ++i) store.insert("o", i % 10 == 0 ? "stuck" : "k" + std::to_string(i));
  bool stuck = true;
  make().broker = [&](const MessageRow& row, const std::string&) {
    return stuck && row.key == "stuck" ? PublishResult::rejected : PublishResult::acked;
  };
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 900U);
  EXPECT_TRUE(bench->raised(Alarm::key_blocked));
  stuck = false;
  bench->run_for(minutes(2));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 1000U);
  EXPECT_FALSE(bench->raised(Alarm::key_blocked));
}

TEST_F(EngineLease, K2_a_cancelled_head_frees_its_key) {
  Route ordered = route("o");
  ordered.ordering = Ordering::publish;
  store.set_route(ordered);
  for (int i = 0; i < 10; ++i) store.insert("o", "k");
  make().broker = [&](const MessageRow& row, const std::string&) {
    return row.id == 1 ? PublishResult::rejected : PublishResult::acked;
  };
  bench->run_for(seconds(5));
  ASSERT_EQ(store.state(1), MessageState::RETRY);
  ASSERT_EQ(store.count(MessageState::PARKED), 9U) << "operators see what waits";
  ASSERT_EQ(store.act(1, Cause::cancelled), Marked::done);
  bench->run_for(seconds(5));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 9U);
  std::vector<std::int64_t> left;
  for (const Seen& seen : bench->seen()) {
    if (seen.result == PublishResult::acked) left.push_back(seen.id);
  }
  EXPECT_TRUE(std::is_sorted(left.begin(), left.end()));
}

TEST_F(EngineLease, K2_a_dead_head_keeps_its_key_parked_until_it_is_replayed) {
  Route ordered = route("o");
  ordered.ordering = Ordering::publish;
  store.set_route(ordered);
  bool refuses = true;
  store.insert("o", "k");
  make().broker = [&](const MessageRow& row, const std::string&) {
    return refuses && row.id == 1 ? PublishResult::rejected : PublishResult::acked;
  };
  bench->run_for(hours(6));
  ASSERT_EQ(store.state(1), MessageState::DEAD);
  for (int i = 0; i < 5; ++i) store.insert("o", "k");
  bench->run_for(minutes(1));
  EXPECT_EQ(store.count(MessageState::PARKED), 5U);
  // A relay that takes over keeps to it.
  bench->kill();
  make().broker = [&](const MessageRow& row, const std::string&) {
    return refuses && row.id == 1 ? PublishResult::rejected : PublishResult::acked;
  };
  store.insert("o", "k");
  bench->run_for(minutes(1));
  EXPECT_EQ(store.count(MessageState::PARKED), 6U);
  EXPECT_TRUE(bench->seen().empty());
  refuses = false;
  ASSERT_EQ(store.act(1, Cause::replay), Marked::done);
  bench->run_for(seconds(10));
  EXPECT_EQ(store.count(MessageState::SUCCESS), 7U);
  std::vector<std::int64_t> left;
  for (const Seen& seen : bench->seen()) left.push_back(seen.id);
  EXPECT_EQ(left, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(EngineLease, K3_the_next_of_a_key_leaves_when_the_one_before_is_confirmed) {
  Route chained = confirmed_route("c");
  chained.ordering = Ordering::confirmed;
  store.set_route(chained);
  store.set_progress(std::vector<ConsumerProgress>{});
  for (int i = 0; i < 3; ++i) store.insert("c", "k");
  store.insert("c", "other");
  make().run_for(seconds(5));
  EXPECT_EQ(bench->seen().size(), 2U) << "one of each key";
  EXPECT_EQ(store.count(MessageState::INIT), 2U);
  store.confirm(1);
  bench->run_for(seconds(1));
  EXPECT_EQ(bench->seen_of(2).size(), 1U);
  EXPECT_TRUE(bench->seen_of(3).empty());
  store.confirm(2);
  bench->run_for(seconds(1));
  EXPECT_EQ(bench->seen_of(3).size(), 1U);
}

}  // namespace
}  // namespace waybill::relay::testing
