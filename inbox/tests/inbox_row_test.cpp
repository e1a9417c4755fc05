#include "inbox_row.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>
#include <variant>
#include <vector>

#include "waybill/message.hpp"
#include "waybill/message_id.hpp"

namespace waybill::inbox {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(InboxRow, writes_times_as_precisely_as_the_database_keeps_them) {
  const DatabaseTime time(seconds(1'700'000'000) + microseconds(123042));
  EXPECT_EQ(to_column(Dialect::postgres, time), "2023-11-14 22:13:20.123042");
  EXPECT_EQ(to_column(Dialect::mariadb, time), "2023-11-14 22:13:20.123042");
  EXPECT_EQ(to_column(Dialect::sqlite, time), "2023-11-14 22:13:20.123");
}

TEST(InboxRow, clamps_times_that_no_database_takes) {
  EXPECT_EQ(to_column(Dialect::postgres, DatabaseTime(seconds(-1))), "1970-01-01 00:00:00.000000");
  EXPECT_EQ(to_column(Dialect::postgres, DatabaseTime::max()), "9999-12-31 00:00:00.000000");
}

TEST(InboxRow, no_dialect_swallows_other_errors_with_the_duplicate) {
  for (const Dialect dialect : {Dialect::sqlite, Dialect::postgres, Dialect::mariadb}) {
    const InboxRow row(dialect, "points", Delivery{});
    EXPECT_EQ(row.statement().sql.find("IGNORE"), std::string_view::npos);
    EXPECT_EQ(row.statement().values.size(), 4U);
  }
}

TEST(InboxRow, a_duplicate_is_told_by_rows_or_on_mariadb_by_the_insert_id) {
  EXPECT_TRUE(InboxRow::is_new(Dialect::sqlite, {.rows = 1}));
  EXPECT_FALSE(InboxRow::is_new(Dialect::sqlite, {.rows = 0}));
  EXPECT_FALSE(InboxRow::is_new(Dialect::postgres, {.rows = 0}));
  EXPECT_TRUE(InboxRow::is_new(Dialect::mariadb, {.rows = 1, .id = 1}));
  EXPECT_FALSE(InboxRow::is_new(Dialect::mariadb, {.rows = 0, .id = 0}));
  EXPECT_FALSE(InboxRow::is_new(Dialect::mariadb, {.rows = 1, .id = 0}));
  EXPECT_TRUE(InboxRow::is_new(Dialect::mariadb, {.rows = 2, .id = 1}));
}

TEST(InboxRows, come_in_the_order_of_their_ids_whatever_the_order_of_the_messages) {
  std::vector<Delivery> batch(3);
  batch[0].message_id = "order/order.placed/B";
  batch[0].epoch = 2;
  batch[1].message_id = "order/order.placed/a";
  batch[2].message_id = "order/order.placed/A";
  batch[2].epoch = 1;
  const InboxRows rows("points", batch);
  const auto text = [&](std::size_t place) {
    return std::get<std::string_view>(rows.statement().values[place]);
  };
  EXPECT_EQ(text(1), R"({"order/order.placed/A","order/order.placed/B","order/order.placed/a"})");
  EXPECT_EQ(text(2), R"({"1","2","0"})");
}

TEST(Storable, cuts_between_characters_and_masks_what_is_no_text) {
  EXPECT_EQ(storable("积分", 4), "积");
  EXPECT_EQ(storable("abc", 3), "abc");
  EXPECT_EQ(storable(std::string_view("a\0\xff z", 5), 10), "a?? z");
  EXPECT_TRUE(is_storable_text(storable("\xe7\xa7", 10)));
}

TEST(MalformedId, is_bounded_printable_different_and_never_an_id) {
  const std::string first = spell_malformed_id(std::string(5000, '\xff'));
  const std::string second = spell_malformed_id(std::string(5001, '\xff'));
  EXPECT_NE(first, second);
  EXPECT_LE(first.size(), 200U);
  EXPECT_TRUE(is_storable_text(first));
  EXPECT_FALSE(MessageId::parse(spell_malformed_id("a/b/c/d")).ok());
  EXPECT_FALSE(MessageId::parse(spell_malformed_id("a/b/c")).ok());
  EXPECT_FALSE(spell_malformed_id("").empty());
}

}  // namespace
}  // namespace waybill::inbox
