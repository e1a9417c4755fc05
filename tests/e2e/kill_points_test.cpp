// Every durable step of the loop, ended before and after: killed, stopped or failed there, the
// promise holds.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <tuple>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

struct Place {
  const char* point;
  const char* service;
  const char* dispatch;
};

constexpr Place kPlaces[] = {
    {"outbox.before_commit", "order_service", "relay"},
    {"outbox.after_commit", "order_service", "relay"},
    {"sender.before_publish", "order_service", "sync"},
    {"queue.before_commit", "order_service", "sync"},
    {"queue.after_commit", "order_service", "sync"},
    {"sender.after_ack", "order_service", "async"},
    {"sender.after_mark", "order_service", "async"},
    {"relay.before_publish", "relay", "relay"},
    {"relay.after_ack", "relay", "relay"},
    {"relay.before_mark", "relay", "relay"},
    {"store.inside_mark", "relay", "relay"},
    {"relay.after_mark", "relay", "relay"},
    {"inbox.after_insert", "points_service", "async"},
    {"inbox.before_commit", "points_service", "async"},
    {"inbox.after_commit", "points_service", "async"},
    {"queue.before_settle", "points_service", "async"},
    {"inbox.after_settle", "points_service", "async"},
    {"confirm.before_post", "points_service", "async"},
    {"confirm.before_write", "order_service", "async"},
    {"confirm.after_write", "order_service", "async"},
    {"confirm.before_note", "points_service", "async"},
};
constexpr const char* kActions[] = {"kill", "stop", "throw"};
constexpr int kRounds = 4;
constexpr int kOrdersOfRound = 3;
constexpr int kCrossing = 2;  // not the first: something has happened already
constexpr int kPatience = 30;

void start(Shop& shop, const std::string& service, const std::string& dispatch) {
  if (service == "order_service") shop.start_order_service(dispatch);
  if (service == "points_service") shop.start_points_service();
  if (service == "relay") shop.start_relay();
}

// As a customer would: again until there is an answer.
bool place_until_answered(Shop& shop, const std::string& order_id) {
  for (int attempt = 0; attempt < kPatience; ++attempt) {
    const int status = shop.place(order_id);
    if (status == 200 || status == 201) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    shop.revive();
  }
  return false;
}

boost::json::object wait_until_finished(Shop& shop) {
  boost::json::object report;
  for (int second = 0; second < kPatience; ++second) {
    report = shop.audit(1);
    if (report.at("clean").as_bool() && report.at("unfinished").as_int64() == 0) break;
    shop.revive();
  }
  return report;
}

class KillPoint : public ::testing::TestWithParam<std::tuple<Place, const char*>> {};

TEST_P(KillPoint, T1_F2_I1_I4_every_order_gets_its_points_once) {
#ifndef WAYBILL_TEST_POINTS
  GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
#endif
  const auto& [place, action] = GetParam();
  Shop shop;
  shop.arm(place.service,
           std::string(place.point) + ":" + action + ":" + std::to_string(kCrossing));
  for (const char* service : {"order_service", "points_service", "relay"}) {
    start(shop, service, place.dispatch);
  }
  boost::json::object report;
  int orders = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kOrdersOfRound; ++i) {
      ASSERT_TRUE(place_until_answered(shop, "A-" + std::to_string(orders++)));
    }
    report = wait_until_finished(shop);
  }
  EXPECT_EQ(report.at("orders").as_int64(), orders);
  for (const char* name : {"missing", "double", "phantom", "wrong", "unfinished"}) {
    EXPECT_EQ(report.at(name).as_int64(), 0) << name << ": " << boost::json::serialize(report);
  }
  const std::string crossed = std::string("test point ") + place.point + ": " + action;
  EXPECT_NE(shop.log_of(place.service).find(crossed), std::string::npos)
      << "the point was never crossed";
}

INSTANTIATE_TEST_SUITE_P(Steps, KillPoint,
                         ::testing::Combine(::testing::ValuesIn(kPlaces),
                                            ::testing::ValuesIn(kActions)),
                         [](const auto& tested) {
                           std::string name = std::get<0>(tested.param).point;
                           name[name.find('.')] = '_';
                           return name + "_" + std::get<1>(tested.param);
                         });

void PrintTo(const Place& place, std::ostream* out) {
  *out << place.point;
}

}  // namespace
}  // namespace waybill::e2e
