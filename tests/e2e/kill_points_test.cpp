// Every durable step of the loop, ended before and after: killed, stopped or failed there, the
// promise holds.
#include <gtest/gtest.h>

#include <chrono>
#include <tuple>

#include "shop.hpp"

namespace waybill::e2e {
namespace {

struct Place {
  const char* point;
  const char* service;
  const char* dispatch;
  bool is_at_store = false;  // what happens there is the store's
};

constexpr Place kPlaces[] = {
    {"outbox.before_commit", "order_service", "relay", true},
    {"outbox.after_commit", "order_service", "relay", true},
    {"sender.before_publish", "order_service", "sync"},
    {"queue.before_commit", "order_service", "sync"},
    {"queue.after_commit", "order_service", "sync"},
    {"sender.after_ack", "order_service", "async"},
    {"sender.after_mark", "order_service", "async"},
    {"relay.before_publish", "relay", "relay"},
    {"relay.after_ack", "relay", "relay"},
    {"relay.before_mark", "relay", "relay", true},
    {"store.inside_mark", "relay", "relay", true},
    {"relay.after_mark", "relay", "relay", true},
    {"inbox.after_insert", "points_service", "async", true},
    {"inbox.before_commit", "points_service", "async", true},
    {"inbox.after_commit", "points_service", "async", true},
    {"queue.before_settle", "points_service", "async"},
    {"inbox.after_settle", "points_service", "async"},
    {"confirm.before_post", "points_service", "async"},
    {"confirm.before_write", "order_service", "async", true},
    {"confirm.after_write", "order_service", "async", true},
    {"confirm.before_note", "points_service", "async"},
};
constexpr const char* kActions[] = {"kill", "stop", "throw"};
constexpr int kRounds = 3;
constexpr int kOrdersOfRound = 3;
constexpr int kCrossing = 2;  // not the first: something has happened already
constexpr int kPatience = 30;

using Case = std::tuple<Place, const char*>;

// All of them on SQLite; on a server, stopping and failing where the store has a part in it. With a
// real broker, the steps beside its own, and what fails inside the consumer's transaction.
bool is_wanted(const Place& place, const std::string& action) {
  if (!kBrokerIsServer) return action == "kill" || place.is_at_store || !kStoreIsServer;
  const std::string point = place.point;
  if (point == "inbox.after_insert") return action != "stop";
  return action == "kill" &&
         (point == "sender.after_ack" || point == "relay.after_ack" || point.starts_with("inbox."));
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Place& place : kPlaces) {
    for (const char* action : kActions) {
      if (is_wanted(place, action)) all.emplace_back(place, action);
    }
  }
  return all;
}

void start(Shop& shop, const std::string& service, const std::string& dispatch) {
  if (service == "order_service") shop.start_order_service(dispatch);
  if (service == "points_service") shop.start_points_service();
  if (service == "relay") shop.start_relay();
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

class KillPoint : public ::testing::TestWithParam<Case> {};

TEST_P(KillPoint, T1_F2_F3_I1_I3_I4_every_order_gets_its_points_once) {
#ifndef WAYBILL_TEST_POINTS
  GTEST_SKIP() << "built without WAYBILL_TEST_POINTS";
#endif
  const auto& [place, action] = GetParam();
  Shop shop;
  shop.set_answer_timeout(std::chrono::milliseconds(1000));
  shop.set_relay_environment({"WAYBILL_RELAY_TTL=500ms"});
  shop.arm(place.service,
           std::string(place.point) + ":" + action + ":" + std::to_string(kCrossing));
  for (const char* service : {"order_service", "points_service", "relay"}) {
    start(shop, service, place.dispatch);
  }
  boost::json::object report;
  int orders = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kOrdersOfRound; ++i) {
      ASSERT_TRUE(shop.place_until_answered("A-" + std::to_string(orders++)));
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

INSTANTIATE_TEST_SUITE_P(Steps, KillPoint, ::testing::ValuesIn(cases()), [](const auto& tested) {
  std::string name = std::get<0>(tested.param).point;
  name[name.find('.')] = '_';
  return name + "_" + std::get<1>(tested.param);
});

void PrintTo(const Place& place, std::ostream* out) {
  *out << place.point;
}

}  // namespace
}  // namespace waybill::e2e
