#include <fstream>
#include <set>

#include "waybill/testing/broker_conformance.hpp"
#include "waybill/testing/broker_driver.hpp"

namespace waybill::testing {
namespace {

using std::chrono::seconds;

constexpr auto kPatience = seconds(60);  // a broker starts in it, also on a busy machine

Steady now() {
  return std::chrono::steady_clock::now();
}

// A sanitizer keeps several times what it watches, and what was freed: then it is 0.
std::size_t resident_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#else
  std::size_t size = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * 4096;
#endif
}

// What the group "points" gets, until `enough` says so or patience ends.
template <class Note>
void consume(Subscriber& subscriber, Note note) {
  const Steady until = now() + kPatience;
  bool enough = false;
  while (!enough && now() < until) {
    std::vector<Delivery> batch;
    // A broken connection may be told as an error.
    static_cast<void>(subscriber.receive(now() + seconds(1), 500, batch));
    enough = note(batch);
    settle(subscriber, batch);
  }
}

}  // namespace

void BrokerFaultConformance::SetUp() {
  broker_ = GetParam().make_harmable();
  destination_ = broker_->destination();
}

TEST_P(BrokerFaultConformance,
       B1_L3_a_broker_that_is_down_never_acks_and_gets_all_when_it_is_back) {
  const auto publisher = broker_->open_publisher();
  const auto subscriber = broker_->open_subscriber("points", "a");
  ASSERT_EQ(publish_one(*publisher, message(1, destination_, "a/t/1")).result,
            PublishResult::acked);
  broker_->break_down();
  // It may have left before the connection was known to be gone.
  const Answer first = publish_one(*publisher, message(2, destination_, "a/t/2"));
  EXPECT_TRUE(first.result == PublishResult::unknown || first.result == PublishResult::unreachable)
      << to_string(first.result) << first.reason;
  const Answer down = publish_one(*publisher, message(3, destination_, "a/t/3"));
  EXPECT_EQ(down.result, PublishResult::unreachable) << down.reason;
  EXPECT_FALSE(down.reason.empty());
  EXPECT_LT(down.took, seconds(10));
  broker_->come_back();
  EXPECT_TRUE(heals(*publisher, message(4, destination_, "a/t/2"), kPatience));
  EXPECT_TRUE(heals(*publisher, message(5, destination_, "a/t/3"), kPatience));
  std::set<std::string> ids;
  consume(*subscriber, [&](const std::vector<Delivery>& batch) {
    for (const std::string& id : ids_of(batch)) ids.insert(id);
    return ids.size() == 3;
  });
  EXPECT_EQ(ids, (std::set<std::string>{"a/t/1", "a/t/2", "a/t/3"}));
}

TEST_P(BrokerFaultConformance,
       B2_without_an_answer_nothing_is_acked_and_each_copy_has_the_same_id) {
  const auto publisher = broker_->open_publisher();
  const auto subscriber = broker_->open_subscriber("points", "a");
  ASSERT_EQ(publish_one(*publisher, message(1, destination_, "a/t/1", "b", "k")).result,
            PublishResult::acked);
  broker_->stand_still();
  const Answer silent = publish_one(*publisher, message(2, destination_, "a/t/2", "b", "k"));
  broker_->go_on();
  EXPECT_TRUE(silent.result == PublishResult::unknown ||
              silent.result == PublishResult::unreachable)
      << to_string(silent.result) << silent.reason;
  ASSERT_TRUE(heals(*publisher, message(3, destination_, "a/t/2", "b", "k"), kPatience));
  std::vector<std::string> ids;
  const std::size_t copies = silent.result == PublishResult::unknown ? 2 : 1;
  consume(*subscriber, [&](const std::vector<Delivery>& batch) {
    for (std::string& id : ids_of(batch)) ids.push_back(std::move(id));
    return ids.size() >= 1 + copies;
  });
  ASSERT_GE(ids.size(), 2U);
  EXPECT_EQ(ids[0], "a/t/1");
  for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i], "a/t/2");
}

TEST_P(BrokerFaultConformance, A6_neither_window_nor_memory_grows_while_the_broker_stands_still) {
  const auto publisher = broker_->open_publisher();
  const auto subscriber = broker_->open_subscriber("points", "a");
  ASSERT_EQ(publish_one(*publisher, message(1, destination_, "a/t/1")).result,
            PublishResult::acked);
  const std::string body(std::size_t{32} << 10, 'b');
  const std::size_t window_max = publisher->traits().window_max;
  std::vector<Outgoing> messages;
  for (std::uint64_t i = 0; i < 2 * window_max; ++i) {
    messages.push_back(message(i, destination_, "a/t/2", body, "k"));
  }
  const std::size_t before = resident_bytes();
  broker_->stand_still();
  OutcomeBook book;
  std::size_t submitted = 0;
  const Steady started = now();
  for (int round = 0; round < 20; ++round) {
    submitted += publisher->submit(std::span(messages).subspan(submitted));
    EXPECT_LE(submitted - book.count, window_max);
    publisher->poll(now(), book);
  }
  EXPECT_LT(now() - started, seconds(10)) << "submit or poll blocked";
  EXPECT_LE(resident_bytes(), before + 2 * window_max * body.size() + (std::size_t{64} << 20));
  // An orderly end meanwhile keeps its deadline, and each message has its one outcome.
  publisher->close(now() + Millis(300), book);
  EXPECT_LT(now() - started, seconds(15));
  broker_->go_on();
  EXPECT_EQ(book.outcomes.size(), submitted);
  for (const auto& [token, results] : book.outcomes) ASSERT_EQ(results.size(), 1U) << token;
  const auto next = broker_->open_publisher();
  EXPECT_TRUE(heals(*next, message(1, destination_, "a/t/3", "b", "k"), kPatience));
  bool has_arrived = false;
  consume(*subscriber, [&](const std::vector<Delivery>& batch) {
    for (const std::string& id : ids_of(batch)) has_arrived = has_arrived || id == "a/t/3";
    return has_arrived;
  });
  EXPECT_TRUE(has_arrived);
}

TEST_P(BrokerFaultConformance,
       K1_nothing_acked_is_lost_or_out_of_order_when_the_broker_is_killed_under_load) {
  const auto publisher = broker_->open_publisher();
  const auto subscriber = broker_->open_subscriber("points", "a");
  Load load(destination_, 50, 60);
  Steady until = now() + kPatience;
  for (const std::size_t kill_at : {load.size() / 4, load.size() / 2}) {
    while (load.acked < kill_at && now() < until) load.step(*publisher);
    std::size_t taken = 0;
    consume(*subscriber, [&](const std::vector<Delivery>& batch) {
      load.note(batch);
      taken += batch.size();
      return taken >= 100;
    });
    broker_->break_down();
    const std::size_t before = load.failed;
    while (load.failed < before + 50 && now() < until) load.step(*publisher);
    broker_->come_back();
  }
  until = now() + kPatience;
  while (load.acked < load.size() && now() < until) load.step(*publisher);
  ASSERT_EQ(load.acked, load.size());
  consume(*subscriber, [&](const std::vector<Delivery>& batch) {
    load.note(batch);
    return load.all_arrived();
  });
  EXPECT_TRUE(load.all_arrived());
}

TEST_P(BrokerFaultConformance,
       H5_a_broker_wiped_under_load_takes_and_delivers_all_that_comes_later) {
  const auto publisher = broker_->open_publisher();
  const auto subscriber = broker_->open_subscriber("points", "a");
  Load before(destination_, 20, 200);
  Steady until = now() + kPatience;
  while (before.acked < before.size() / 2 && now() < until) before.step(*publisher);
  broker_->break_down();
  broker_->come_back_empty();
  until = now() + kPatience;
  if (features().forgets_destinations) {
    PublishResult result = PublishResult::acked;
    const auto other = broker_->open_publisher();
    while (result != PublishResult::destination_down && now() < until) {
      result = publish_one(*other, message(1, destination_, "x/k0/0", "b", "k0")).result;
      ASSERT_NE(result, PublishResult::acked);
      ASSERT_NE(result, PublishResult::rejected);
    }
    EXPECT_EQ(result, PublishResult::destination_down);
    broker_->create(destination_);
  }
  while (before.acked < before.size() && now() < until) before.step(*publisher);
  ASSERT_EQ(before.acked, before.size());
  // What came after the disk was changed reaches a consumer that was there before.
  const std::string last = "a/k0/199";
  bool has_arrived = false;
  consume(*subscriber, [&](const std::vector<Delivery>& batch) {
    for (const std::string& id : ids_of(batch)) has_arrived = has_arrived || id == last;
    return has_arrived;
  });
  EXPECT_TRUE(has_arrived);
}

}  // namespace waybill::testing
