#include "waybill/route.hpp"

#include <gtest/gtest.h>

namespace waybill {
namespace {

Route order_placed() {
  Route route;
  route.message_type = "order.placed";
  route.destination = "orders";
  route.consumers = {"points"};
  return route;
}

TEST(Route, accepts_what_a_user_would_write) {
  EXPECT_TRUE(validate(order_placed()).ok());
  Route any = order_placed();
  any.message_type = "*";
  any.consumers.clear();
  EXPECT_TRUE(validate(any).ok());
}

TEST(Route, K4_refuses_in_process_dispatch_of_ordered_types) {
  for (const Ordering ordering : {Ordering::publish, Ordering::confirmed}) {
    for (const Dispatch dispatch : {Dispatch::sync, Dispatch::async}) {
      Route route = order_placed();
      route.ordering = ordering;
      route.dispatch = dispatch;
      const Status checked = validate(route);
      ASSERT_FALSE(checked.ok());
      EXPECT_NE(checked.error().hint.find("relay"), std::string::npos);
    }
  }
}

TEST(Route, refuses_fields_out_of_bounds) {
  Route route = order_placed();
  route.message_type.clear();
  EXPECT_FALSE(validate(route).ok());
  route = order_placed();
  route.destination.clear();
  EXPECT_FALSE(validate(route).ok());
  route = order_placed();
  route.confirm_deadline = Millis(99);
  EXPECT_FALSE(validate(route).ok());
  route = order_placed();
  route.consumers = {"points", "points"};
  EXPECT_FALSE(validate(route).ok());
}

TEST(Consumers, come_back_as_they_were_joined) {
  const std::vector<std::string> names = {"points", "mail-2", "a.b_c"};
  EXPECT_EQ(*parse_consumers(join_consumers(names)), names);
  EXPECT_TRUE(parse_consumers("")->empty());
}

TEST(Consumers, are_refused_when_a_name_is_bad_or_repeated) {
  for (const char* joined : {"a,,b", ",a", "a,", "a b", "a,a", "a/b"}) {
    EXPECT_FALSE(parse_consumers(joined).ok()) << joined;
  }
}

TEST(FindRoute, C4_takes_the_exact_type_before_the_wildcard_and_else_nothing) {
  Route any = order_placed();
  any.message_type = "*";
  const std::vector<Route> routes = {any, order_placed()};
  EXPECT_EQ(find_route(routes, "order.placed"), &routes[1]);
  EXPECT_EQ(find_route(routes, "other"), &routes[0]);
  EXPECT_EQ(find_route({order_placed()}, "other"), nullptr);
}

TEST(RouteNames, are_parsed_with_the_known_ones_in_the_hint) {
  EXPECT_EQ(*parse_ordering("confirmed"), Ordering::confirmed);
  EXPECT_EQ(*parse_dispatch("sync"), Dispatch::sync);
  const auto bad = parse_dispatch("now");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().hint, "one of: relay, async, sync");
}

}  // namespace
}  // namespace waybill
