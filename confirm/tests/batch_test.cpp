#include "waybill/confirm/batch.hpp"

#include <gtest/gtest.h>

#include "waybill/message.hpp"

namespace waybill::confirm {
namespace {

using std::string_literals::operator""s;

std::string batch_of(const std::string& confirmations, const std::string& others = "") {
  return R"({"consumer":"points",)" + others + R"("confirmations":[)" + confirmations + "]}";
}

const std::string kItem =
    R"({"message_id":"a/b/1","verdict":"done","sent_at":"2026-01-31T12:00:00Z"})";

// kItem with one member more or another one.
std::string item_with(const std::string& member) {
  return kItem.substr(0, kItem.size() - 1) + "," + member + "}";
}

void expect_refused(const std::string& body, const std::string& part) {
  const auto parsed = parse_batch(body);
  ASSERT_FALSE(parsed.ok()) << body.substr(0, 200);
  EXPECT_EQ(parsed.error().remedy, Remedy::fix_call);
  EXPECT_NE(parsed.error().text.find(part), std::string::npos)
      << parsed.error().text << " of " << body.substr(0, 200);
}

TEST(Batch, comes_back_as_it_was_sent) {
  std::vector<Confirmation> items(3);
  items[0] = {"a/b/1",
              "points",
              Verdict::done,
              "",
              0,
              DatabaseTime(std::chrono::microseconds(1'700'000'000'123'456)),
              std::chrono::hours(5)};
  items[1] = items[0];
  items[1].message_id = "a/b/\"\\%E7";
  items[1].verdict = Verdict::failed;
  items[1].reason = "积分 \"quoted\"\n";
  items[1].epoch = 4'294'967'295;
  items[1].sent_at = DatabaseTime(std::chrono::microseconds(253'402'300'799'999'999));
  items[2] = items[0];
  items[2].verdict = Verdict::later;
  items[2].sent_at = DatabaseTime();
  const auto parsed = parse_batch(encode_batch(items));
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  ASSERT_EQ(parsed->size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ((*parsed)[i].message_id, items[i].message_id);
    EXPECT_EQ((*parsed)[i].consumer, "points");
    EXPECT_EQ((*parsed)[i].verdict, items[i].verdict);
    EXPECT_EQ((*parsed)[i].reason, items[i].reason);
    EXPECT_EQ((*parsed)[i].epoch, items[i].epoch);
    EXPECT_EQ((*parsed)[i].sent_at, items[i].sent_at);
    EXPECT_EQ((*parsed)[i].retention, std::chrono::hours(5));
  }
}

TEST(Batch, a_reason_is_sent_as_text_of_at_most_512_bytes) {
  Confirmation item;
  item.message_id = "a/b/1";
  item.consumer = "points";
  item.verdict = Verdict::failed;
  item.reason = std::string(511, 'a') + "积";
  EXPECT_EQ(parse_batch(encode_batch({item}))->at(0).reason, std::string(511, 'a'));
  item.reason = std::string(509, 'a') + "积分";
  EXPECT_EQ(parse_batch(encode_batch({item}))->at(0).reason, std::string(509, 'a') + "积");
  for (const std::string& no_text : {"a\xff"s, "a\0b"s}) {
    item.reason = no_text;
    EXPECT_EQ(parse_batch(encode_batch({item}))->at(0).reason, "");
  }
}

TEST(Batch, what_is_optional_has_defaults_and_unknown_members_are_ignored) {
  const auto parsed = parse_batch(batch_of(item_with(R"("colour":{"red":[1,2]})"), R"("x":null,)"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  EXPECT_EQ(parsed->at(0).epoch, 0U);
  EXPECT_EQ(parsed->at(0).reason, "");
  EXPECT_EQ(parsed->at(0).retention, std::chrono::days(7));
  EXPECT_EQ(parse_batch(batch_of(item_with(R"("reason":"")")))->at(0).reason, "");
}

TEST(Batch, of_a_repeated_member_the_last_counts) {
  const auto parsed = parse_batch(batch_of(item_with(R"("epoch":1,"epoch":2)")));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->at(0).epoch, 2U);
  const auto consumer = parse_batch(batch_of(kItem, R"("consumer":"mail",)"));
  EXPECT_EQ(consumer->at(0).consumer, "mail");
}

TEST(Batch, refuses_what_is_no_json_object) {
  for (const std::string& body : {""s,
                                  " "s,
                                  "null"s,
                                  "[]"s,
                                  "\"a\""s,
                                  "1"s,
                                  "{"s,
                                  "{}{}"s,
                                  batch_of(kItem) + "x",
                                  batch_of(kItem + ","),
                                  "\xef\xbb\xbf" + batch_of(kItem),
                                  "{'consumer':1}"s,
                                  batch_of(kItem) + "\0"s,
                                  batch_of(kItem, "/* c */"),
                                  batch_of(kItem, "\"x\":NaN,"),
                                  batch_of(item_with("\"x\":\"\xff\"")),
                                  batch_of(item_with("\"x\":\"\xed\xa0\x80\"")),
                                  batch_of(item_with("\"x\":\"\xc0\xaf\"")),
                                  batch_of(item_with(R"("x":"\ud800")")),
                                  batch_of(item_with("\"x\":\"a\nb\""))}) {
    expect_refused(body, "no JSON object");
  }
}

TEST(Batch, refuses_deep_nesting) {
  const auto nested = [](std::size_t depth) {
    return batch_of(kItem, R"("x":)" + std::string(depth, '[') + std::string(depth, ']') + ",");
  };
  EXPECT_TRUE(parse_batch(nested(4)).ok());
  expect_refused(nested(9), "no JSON object");
  expect_refused(nested(400'000), "no JSON object");
  expect_refused(std::string(1'000'000, '['), "no JSON object");
}

TEST(Batch, names_the_member_that_is_missing_or_of_another_type) {
  expect_refused("{}", "consumer");
  expect_refused(R"({"consumer":"points"})", "confirmations");
  for (const char* value : {"1", "null", "true", "[]", "{}"}) {
    expect_refused(R"({"consumer":)"s + value + R"(,"confirmations":[]})", "consumer");
    for (const char* name : {"message_id", "verdict", "sent_at", "reason"}) {
      expect_refused(batch_of(kItem + "," + item_with("\""s + name + "\":" + value)),
                     "confirmations[1]."s + name);
    }
  }
  for (const char* value : {"\"1\"", "null", "true", "[]", "{}", "-1", "1.5", "1e99",
                            "18446744073709551616", "4294967296"}) {
    expect_refused(batch_of(item_with(R"("epoch":)"s + value)), "confirmations[0].epoch");
  }
  for (const char* value : {"\"1\"", "null", "-1", "0.5", "315360001"}) {
    expect_refused(batch_of(kItem, R"("retention_seconds":)"s + value + ","), "retention_seconds");
  }
  for (const char* value : {"1", "null", "{}", "\"\""}) {
    expect_refused(R"({"consumer":"points","confirmations":)"s + value + "}", "confirmations");
    if (value != "{}"s) expect_refused(batch_of(value), "confirmations[0] is no object");
  }
  for (const char* name : {"message_id", "verdict", "sent_at"}) {
    std::string without = kItem;
    without.replace(without.find(name), 3, "xxx");
    expect_refused(batch_of(without), "confirmations[0]."s + name);
  }
  for (const char* verdict : {"", "Done", "done ", "maybe"}) {
    expect_refused(batch_of(item_with(R"("verdict":")"s + verdict + "\"")), "verdict");
  }
}

TEST(Batch, holds_the_limits_exactly) {
  const auto times = [](std::size_t count) {
    std::string items = kItem;
    for (std::size_t i = 1; i < count; ++i) items += "," + kItem;
    return batch_of(items);
  };
  expect_refused(batch_of(""), "0 items");
  EXPECT_EQ(parse_batch(times(kItemsMax))->size(), 1000U);
  expect_refused(times(kItemsMax + 1), "1001 items");
  const auto text = [](const char* name, std::size_t bytes) {
    return batch_of(item_with("\""s + name + "\":\"" + std::string(bytes, 'a') + "\""));
  };
  EXPECT_TRUE(parse_batch(text("message_id", 768)).ok());
  expect_refused(text("message_id", 769), "message_id");
  expect_refused(text("message_id", 0), "message_id");
  EXPECT_TRUE(parse_batch(text("reason", 4096)).ok());
  expect_refused(text("reason", 4097), "reason");
  expect_refused(batch_of(item_with(R"("message_id":"a\u0000b")")), "message_id");
  const auto consumer = [](std::size_t bytes) {
    return batch_of(kItem, R"("consumer":")" + std::string(bytes, 'a') + "\",");
  };
  EXPECT_TRUE(parse_batch(consumer(64)).ok());
  expect_refused(consumer(65), "consumer");
  EXPECT_EQ(parse_batch(batch_of(kItem, R"("retention_seconds":315360000,)"))->at(0).retention,
            std::chrono::days(3650));
}

TEST(Batch, reads_times_to_the_microsecond_and_nothing_else) {
  const auto at = [](const std::string& time) {
    return parse_batch(batch_of(item_with(R"("sent_at":")" + time + "\"")));
  };
  const auto micros = [&](const std::string& time) {
    return at(time)->at(0).sent_at.time_since_epoch().count();
  };
  EXPECT_EQ(micros("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(micros("2023-11-14T22:13:20.123456Z"), 1'700'000'000'123'456);
  EXPECT_EQ(micros("2023-11-14T22:13:20.5Z"), 1'700'000'000'500'000);
  EXPECT_EQ(micros("2024-02-29T00:00:00.000001Z"), 1'709'164'800'000'001);
  for (const char* time : {"",
                           "2023-11-14",
                           "2023-11-14T22:13:20",
                           "2023-11-14 22:13:20Z",
                           "2023-11-14T22:13:20z",
                           "2023-11-14T22:13:20.Z",
                           "2023-11-14T22:13:20.1234567Z",
                           "2023-11-14T22:13:20+00:00",
                           "2023-02-29T00:00:00Z",
                           "2023-13-01T00:00:00Z",
                           "2023-00-01T00:00:00Z",
                           "2023-01-01T24:00:00Z",
                           "2023-01-01T00:60:00Z",
                           "2023-01-01T00:00:60Z",
                           "-023-01-01T00:00:00Z",
                           "2023-01-01T-0:00:00Z",
                           "2023-01-01T00:00:+1Z",
                           "2023-01-01T00:00:00.-1Z",
                           "1969-12-31T23:59:59Z",
                           "0000-01-01T00:00:00Z",
                           "2023-11-14T22:13:20,5Z",
                           "99999-01-01T00:00:00Z"}) {
    const auto parsed = at(time);
    ASSERT_FALSE(parsed.ok()) << time;
    EXPECT_NE(parsed.error().text.find("confirmations[0].sent_at"), std::string::npos) << time;
  }
}

TEST(Results, come_back_one_per_item) {
  Confirmation first;
  first.message_id = "a/b/1";
  const std::vector<ConfirmResult> results = {ConfirmResult::done, ConfirmResult::already,
                                              ConfirmResult::not_found};
  const std::string body = encode_results({first, first, first}, results);
  const auto parsed = parse_results(body, 3);
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  EXPECT_EQ(*parsed, results);
  EXPECT_FALSE(parse_results(body, 2).ok());
  EXPECT_FALSE(parse_results(body, 4).ok());
}

TEST(Results, refuse_everything_else) {
  for (const char* body :
       {"", "[]", "{}", R"({"results":{}})", R"({"results":[1]})", R"({"results":[{}]})",
        R"({"results":[{"result":1}]})", R"({"results":[{"result":"maybe"}]})",
        R"({"results":[{"result":"done"}]} <html>)"}) {
    const auto parsed = parse_results(body, 1);
    ASSERT_FALSE(parsed.ok()) << body;
    EXPECT_EQ(parsed.error().remedy, Remedy::fix_call);
  }
}

}  // namespace
}  // namespace waybill::confirm
