#include "routes_file.hpp"

#include <gtest/gtest.h>

namespace waybill::cli {
namespace {

TEST(RoutesFile, gives_the_routes_with_defaults_for_what_is_left_out) {
  const auto routes = parse_routes(R"(
[[route]]
message_type = "order.placed"
destination = "orders"
consumers = ["points", "mail"]
confirm_deadline = "10s"
ordering = "publish"
dispatch = "relay"

[[route]]
message_type = "*"
destination = "rest"
)",
                                   "routes.toml");
  ASSERT_TRUE(routes.ok()) << routes.error().to_string();
  ASSERT_EQ(routes->size(), 2U);
  EXPECT_EQ((*routes)[0].message_type, "order.placed");
  EXPECT_EQ((*routes)[0].destination, "orders");
  EXPECT_EQ(join_consumers((*routes)[0].consumers), "points,mail");
  EXPECT_EQ((*routes)[0].confirm_deadline, Millis(10'000));
  EXPECT_EQ((*routes)[0].ordering, Ordering::publish);
  EXPECT_EQ((*routes)[1].message_type, "*");
  EXPECT_EQ((*routes)[1].confirm_deadline, Millis(30'000));
  EXPECT_TRUE((*routes)[1].consumers.empty());
}

struct Complaint {
  const char* text;
  const char* start;
};

TEST(RoutesFile, says_file_line_and_key_of_what_is_wrong) {
  const std::string good = "[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\n";
  const Complaint cases[] = {
      {"", "r.toml: no routes in it"},
      {"[[rout]]\n", "r.toml:1: rout: unknown key (did you mean 'route'?)"},
      {"[route]\nmessage_type = \"a\"\n", "r.toml:1: route: must be [[route]] tables"},
      {"[[route]]\ndestination = \"d\"\n", "r.toml:1: route.message_type: is missing"},
      {"[[route]]\nmessage_type = \"a\"\n", "r.toml:1: route.destination: is missing"},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\ndeadline = \"1s\"\n",
       "r.toml:4: route.deadline: unknown key ("},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\nordering = \"total\"\n",
       "r.toml:4: route.ordering: "},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\ndispatch = 1\n",
       "r.toml:4: route.dispatch: must be a string, not an integer"},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\nconsumers = \"points\"\n",
       "r.toml:4: route.consumers: must be an array of strings, not a string"},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\nconsumers = [1]\n",
       "r.toml:4: route.consumers: must be an array of strings, not an integer"},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\nconfirm_deadline = \"soon\"\n",
       "r.toml:4: route.confirm_deadline: 'soon' is no duration"},
      {"[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\nconfirm_deadline = \"2d\"\n",
       "r.toml:1: route: confirm deadline of 'a'"},
  };
  for (const Complaint& complaint : cases) {
    const auto routes = parse_routes(complaint.text, "r.toml");
    ASSERT_FALSE(routes.ok()) << complaint.text;
    EXPECT_EQ(routes.error().to_string().rfind(complaint.start, 0), 0U)
        << routes.error().to_string();
  }
  const auto twice = parse_routes(good + good, "r.toml");
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().text, "r.toml:4: route: message type 'a' is here twice");
}

TEST(RoutesFile, K4_refuses_an_ordered_type_with_sync_dispatch) {
  const auto routes = parse_routes(
      "[[route]]\nmessage_type = \"a\"\ndestination = \"d\"\nordering = \"publish\"\n"
      "dispatch = \"sync\"\n",
      "r.toml");
  ASSERT_FALSE(routes.ok());
  EXPECT_EQ(routes.error().text.rfind("r.toml:1: route: 'a' is ordered", 0), 0U)
      << routes.error().text;
}

}  // namespace
}  // namespace waybill::cli
