#include "moment.hpp"

#include <gtest/gtest.h>

namespace waybill::cli {
namespace {

using namespace std::chrono_literals;

constexpr DatabaseTime kDay = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23);

TEST(Moment, is_read_as_rfc_3339_with_its_zone) {
  const std::pair<const char*, DatabaseTime> cases[] = {
      {"2026-11-23T21:09:05Z", kDay + 21h + 9min + 5s},
      {"2026-11-23t21:09:05z", kDay + 21h + 9min + 5s},
      {"2026-11-23 21:09:05.5Z", kDay + 21h + 9min + 5s + 500ms},
      {"2026-11-23T21:09:05.1234567Z", kDay + 21h + 9min + 5s + 123456us},
      {"2026-11-23T21:09:05+02:00", kDay + 19h + 9min + 5s},
      {"2026-11-23T21:09:05-00:30", kDay + 21h + 39min + 5s},
  };
  for (const auto& [text, expected] : cases) {
    const Result<Moment> moment = parse_moment(text);
    ASSERT_TRUE(moment.ok()) << text;
    EXPECT_EQ(moment->resolve(kDay), expected) << text;
  }
}

TEST(Moment, is_counted_back_from_now_when_it_is_a_duration) {
  EXPECT_EQ(parse_moment("2h")->resolve(kDay), kDay - 2h);
  EXPECT_EQ(parse_moment("7d")->resolve(kDay), kDay - 168h);
}

TEST(Moment, is_refused_with_the_forms_when_it_is_neither) {
  for (const char* text :
       {"", "yesterday", "2026-11-23", "2026-11-23T21:09:05", "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T21:09:05Z ",
        "2026-11-23T21:09:05.Z", "2026-11-23T21:09:05+2:00", "-2h", "2", "99999999999d",
        "9999999999999999999999Z", "2026-11-23T-1:09:05Z"}) {
    const Result<Moment> moment = parse_moment(text);
    ASSERT_FALSE(moment.ok()) << text;
    EXPECT_EQ(moment.error().remedy, Remedy::fix_call);
    EXPECT_NE(moment.error().hint, "");
  }
}

}  // namespace
}  // namespace waybill::cli
