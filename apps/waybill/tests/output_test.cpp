#include "output.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>

#include "duration.hpp"
#include "suggestion.hpp"

namespace waybill::cli {
namespace {

using namespace std::chrono_literals;

TEST(Output, prints_times_in_utc_with_microseconds) {
  const DatabaseTime time =
      std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + 21h + 9min + 5s + 42us;
  EXPECT_EQ(print_time(time), "2026-11-23T21:09:05.000042Z");
}

TEST(Output, aligns_columns_by_characters_and_marks_empty_cells) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  Output output(file, false);
  output.table({"ID", "NAME"}, {{"1", "积分"}, {"1000", ""}});
  ASSERT_TRUE(output.finish().ok());
  std::fclose(file);
  const std::unique_ptr<char, decltype(&::free)> owner(text, &::free);
  EXPECT_STREQ(text, "ID    NAME\n1     积分\n1000  -\n");
}

TEST(Output, tells_when_the_answer_could_not_be_written) {
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  Output output(full, false);
  output.line("answer");
  const Status status = output.finish();
  std::fclose(full);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().remedy, Remedy::retry);
}

TEST(Output, lets_no_message_steer_the_terminal) {
  EXPECT_EQ(printable("a\x1b[2J\nb\xff\xc2\x9b 积"), "a\\x1b[2J\\x0ab\\xff\\u009b 积");
}

TEST(Output, keeps_json_valid_whatever_the_table_holds) {
  EXPECT_EQ(json_text("a\xff积"), "a\xef\xbf\xbd积");
  EXPECT_EQ(json_text(std::string_view("a\0b", 3)), std::string("a\0b", 3));
}

TEST(Output, encodes_bytes_that_are_no_text_as_base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xff\xfe\xfd\xfc"), "//79/A==");
}

TEST(Duration, is_read_and_printed_in_the_same_form) {
  for (const char* text : {"500ms", "2s", "90s", "5m", "1h", "7d", "0ms"}) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(print_duration(*parsed), text);
  }
  for (const char* text : {"", "2", "s", "2 s", "1.5s", "-1s", "+1s", "2S", "1h30m", "2s "}) {
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  }
}

TEST(Suggestion, names_the_nearest_word_or_lists_all) {
  const std::string known[] = {"ttl", "grace", "window"};
  EXPECT_EQ(suggest("gracr", known), "did you mean 'grace'?");
  EXPECT_EQ(suggest("colour", known), "known: ttl, grace, window");
  EXPECT_EQ(suggest(std::string(1 << 20, 'x'), known), "known: ttl, grace, window");
}

}  // namespace
}  // namespace waybill::cli
