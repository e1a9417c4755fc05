#include "waybill/relay/doorbell.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <semaphore>
#include <string>
#include <vector>

namespace waybill::relay {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

std::string name_of_this_test() {
  return std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
         std::to_string(::getpid());
}

TEST(Doorbell, a_ring_reaches_the_listener_of_its_name) {
  std::counting_semaphore<> rung(0);
  std::counting_semaphore<> other(0);
  const DoorbellListener listener(name_of_this_test(), [&] { rung.release(); });
  const DoorbellListener neighbour(name_of_this_test() + "x", [&] { other.release(); });
  ASSERT_TRUE(listener.listening());
  ring_doorbell(name_of_this_test());
  EXPECT_TRUE(rung.try_acquire_for(kPatience));
  ring_doorbell(name_of_this_test());
  EXPECT_TRUE(rung.try_acquire_for(kPatience));
  EXPECT_FALSE(other.try_acquire());
}

TEST(Doorbell, a_ring_without_listener_is_harmless) {
  ring_doorbell(name_of_this_test());
  ring_doorbell("");
  ring_doorbell(std::string(100'000, 'x'));
}

TEST(Doorbell, all_listeners_of_a_name_hear_it_and_a_freed_slot_is_used_again) {
  for (int round = 0; round < 3; ++round) {
    std::counting_semaphore<> rung(0);
    std::vector<std::unique_ptr<DoorbellListener>> listeners;
    for (int i = 0; i < 4; ++i) {
      listeners.push_back(
          std::make_unique<DoorbellListener>(name_of_this_test(), [&] { rung.release(); }));
      ASSERT_TRUE(listeners.back()->listening());
    }
    EXPECT_FALSE(DoorbellListener(name_of_this_test(), [] {}).listening()) << "four at most";
    ring_doorbell(name_of_this_test());
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(rung.try_acquire_for(kPatience));
  }
}

TEST(Doorbell, a_flood_of_rings_never_blocks) {
  std::counting_semaphore<> rung(0);
  const DoorbellListener listener(name_of_this_test(), [&] { rung.release(); });
  for (int i = 0; i < 10'000; ++i) ring_doorbell(name_of_this_test());
  EXPECT_TRUE(rung.try_acquire_for(kPatience));
}

}  // namespace
}  // namespace waybill::relay
