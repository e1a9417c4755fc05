#include "waybill/confirm/signature.hpp"

#include <gtest/gtest.h>

#include "shop.hpp"

namespace waybill::confirm::testing {
namespace {

using std::string_literals::operator""s;

std::string& header(Request& request, std::string_view name) {
  for (auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  throw std::runtime_error("no header " + std::string(name));
}

class Signature : public ::testing::Test {
 protected:
  [[nodiscard]] const Key* verify_at(const Request& request, std::chrono::seconds after) const {
    return verify(request, ring_, kNow + after);
  }

  const Key key_ = key_of("points", "k1");
  const KeyRing ring_ = ring_of({key_, key_of("mail", "k2")});
  const Request good_ = signed_request(R"({"a":1})", key_);
};

// Computed with Python's hmac module; the first is the example of the Standard Webhooks
// specification.
TEST_F(Signature, equals_known_answers) {
  struct Vector {
    std::string secret, id;
    std::int64_t time;
    std::string body, signature;
  };
  const Vector vectors[] = {
      {"\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\x4f\x08\xd4\x3c\x3f\x08\x2c\xf6\x48\xa3\x62\xda\x2d"
       "\xa4\xb0",
       "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})",
       "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
      {"0123456789abcdef", "msg_1", 1700000000, "",
       "v1,lTzpJ4WzkbYvvbIoDyfS7CMupfqSate6KHarcmPyCm0="},
      {std::string(256, 'k'), "msg_2", 1800000000, "\0\xff\r\n积分"s,
       "v1,CNtqX6qWf+7/b/NBZj7hcr1sDJH6ofNr1j1aeLCd5XY="},
  };
  for (const Vector& vector : vectors) {
    Request request;
    request.body = vector.body;
    const WallTime at{std::chrono::seconds(vector.time)};
    sign(request, {"k9", "points", vector.secret}, vector.id, at);
    EXPECT_EQ(header(request, "webhook-id"), vector.id);
    EXPECT_EQ(header(request, "webhook-timestamp"), std::to_string(vector.time));
    EXPECT_EQ(header(request, "webhook-signature"), vector.signature);
    EXPECT_EQ(header(request, "waybill-key-id"), "k9");
    const KeyRing ring = ring_of({{"k9", "points", vector.secret}});
    EXPECT_EQ(verify(request, ring, at), ring.find("k9"));
  }
}

TEST_F(Signature, tells_whose_it_is) {
  ASSERT_NE(verify_at(good_, {}), nullptr);
  EXPECT_EQ(verify_at(good_, {})->consumer, "points");
  const Request mail = signed_request("{}", key_of("mail", "k2"));
  ASSERT_NE(verify_at(mail, {}), nullptr);
  EXPECT_EQ(verify_at(mail, {})->consumer, "mail");
}

TEST_F(Signature, every_header_is_needed_whatever_its_case) {
  for (const char* name :
       {"webhook-id", "webhook-timestamp", "webhook-signature", "waybill-key-id"}) {
    Request without = good_;
    std::erase_if(without.headers, [&](const auto& entry) { return entry.first == name; });
    EXPECT_EQ(verify_at(without, {}), nullptr) << name;
    Request empty = good_;
    header(empty, name).clear();
    EXPECT_EQ(verify_at(empty, {}), nullptr) << name;
  }
  Request shouting = good_;
  for (auto& [name, value] : shouting.headers) {
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  EXPECT_NE(verify_at(shouting, {}), nullptr);
}

TEST_F(Signature, covers_id_time_and_body_to_the_last_bit) {
  Request body = good_;
  body.body.back() = ' ';
  EXPECT_EQ(verify_at(body, {}), nullptr);
  Request longer = good_;
  longer.body += ' ';
  EXPECT_EQ(verify_at(longer, {}), nullptr);
  Request id = good_;
  header(id, "webhook-id") += '0';
  EXPECT_EQ(verify_at(id, {}), nullptr);
  Request time = good_;
  header(time, "webhook-timestamp") = std::to_string(kNow.time_since_epoch().count() + 1);
  EXPECT_EQ(verify_at(time, {}), nullptr);
  Request other = good_;
  header(other, "waybill-key-id") = "k2";
  EXPECT_EQ(verify_at(other, {}), nullptr);
  const std::string signature = header(body, "webhook-signature");
  for (std::size_t i = 0; i < signature.size(); ++i) {
    Request forged = good_;
    char& c = header(forged, "webhook-signature")[i];
    c = c == 'A' ? 'B' : 'A';
    EXPECT_EQ(verify_at(forged, {}), nullptr) << i;
  }
}

TEST_F(Signature, an_empty_or_cut_one_never_matches) {
  const std::string whole = good_.headers[3].second;
  ASSERT_TRUE(whole.starts_with("v1,"));
  for (const std::string& text : {"v1,"s, "v1"s, " "s, "v1,="s, whole.substr(0, whole.size() - 1),
                                  whole.substr(3), "v2," + whole.substr(3), "v1," + whole}) {
    Request request = good_;
    header(request, "webhook-signature") = text;
    EXPECT_EQ(verify_at(request, {}), nullptr) << text;
  }
}

TEST_F(Signature, one_of_several_is_enough) {
  const std::string whole = good_.headers[3].second;
  for (const std::string& text : {"v1,AAAA " + whole, whole + " v1,AAAA", "v1a,x  " + whole}) {
    Request request = good_;
    header(request, "webhook-signature") = text;
    EXPECT_NE(verify_at(request, {}), nullptr) << text;
  }
}

TEST_F(Signature, is_valid_for_five_minutes_before_and_after) {
  for (const int seconds : {0, 1, 299, 300}) {
    EXPECT_NE(verify_at(good_, std::chrono::seconds(seconds)), nullptr) << seconds;
    EXPECT_NE(verify_at(good_, std::chrono::seconds(-seconds)), nullptr) << seconds;
  }
  for (const int seconds : {301, 3600, 1'000'000'000}) {
    EXPECT_EQ(verify_at(good_, std::chrono::seconds(seconds)), nullptr) << seconds;
    EXPECT_EQ(verify_at(good_, std::chrono::seconds(-seconds)), nullptr) << seconds;
  }
}

TEST_F(Signature, a_time_that_is_no_number_is_none) {
  const std::string now = std::to_string(kNow.time_since_epoch().count());
  // A request with any text as its time and a signature that covers it: both texts below are
  // "id.<time>.<now>.{}" when they are signed.
  const auto at = [&](const std::string& time) {
    Request request;
    request.body = "{}";
    sign(request, key_, "id." + time, kNow);
    header(request, "webhook-id") = "id";
    header(request, "webhook-timestamp") = time;
    request.body = now + ".{}";
    return request;
  };
  EXPECT_NE(verify_at(at(now), {}), nullptr);
  for (const std::string& time :
       {""s, now + " ", " " + now, now + ".0", "+" + now, now + "e0", "now"s, "0x6b49d200"s,
        "99999999999999999999"s, now + "\0"s, "-" + now}) {
    EXPECT_EQ(verify_at(at(time), {}), nullptr) << time;
  }
}

}  // namespace
}  // namespace waybill::confirm::testing
