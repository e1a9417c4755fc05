#include "waybill/confirm/keys.hpp"

#include <gtest/gtest.h>

namespace waybill::confirm {
namespace {

const std::string kSecret(32, 's');

Result<KeyRing> make(std::vector<Key> keys) {
  return KeyRing::make(std::move(keys));
}

void expect_refused(const Result<KeyRing>& made, std::string_view part) {
  ASSERT_FALSE(made.ok()) << part;
  EXPECT_EQ(made.error().remedy, Remedy::fix_call);
  EXPECT_NE(made.error().text.find(part), std::string::npos) << made.error().text;
  EXPECT_FALSE(made.error().hint.empty());
}

TEST(KeyRing, finds_a_key_by_its_exact_id) {
  const auto ring = make({{"k1", "points", kSecret}, {"k2", "mail", std::string(16, 'm')}});
  ASSERT_TRUE(ring.ok());
  EXPECT_EQ(ring->size(), 2U);
  ASSERT_NE(ring->find("k2"), nullptr);
  EXPECT_EQ(ring->find("k2")->consumer, "mail");
  for (const char* id : {"", "K1", "k", "k1 ", "k3"}) EXPECT_EQ(ring->find(id), nullptr) << id;
  EXPECT_EQ(make({})->find(""), nullptr);
}

TEST(KeyRing, takes_three_keys_of_a_consumer_and_no_fourth) {
  std::vector<Key> keys = {{"p1", "points", kSecret},
                           {"m1", "mail", kSecret},
                           {"p2", "points", kSecret},
                           {"p3", "points", kSecret}};
  EXPECT_TRUE(make(keys).ok());
  keys.push_back({"p4", "points", kSecret});
  expect_refused(make(keys), "points");
}

TEST(KeyRing, an_id_belongs_to_one_key) {
  expect_refused(make({{"k1", "points", kSecret}, {"k1", "mail", kSecret}}), "k1");
}

TEST(KeyRing, limits_names_and_secrets) {
  const std::string longest(64, 'a');
  EXPECT_TRUE(make({{longest, "AZaz09._-", kSecret}}).ok());
  for (const std::string& name :
       {std::string(), longest + "a", std::string("a b"), std::string("é"), std::string("a\n"),
        std::string("a/b"), std::string("a\0", 2)}) {
    expect_refused(make({{name, "points", kSecret}}), name);
    expect_refused(make({{"k1", name, kSecret}}), name);
  }
  EXPECT_TRUE(make({{"k1", "points", std::string(16, 's')}}).ok());
  EXPECT_TRUE(make({{"k1", "points", std::string(256, 's')}}).ok());
  expect_refused(make({{"k1", "points", std::string(15, 's')}}), "15");
  expect_refused(make({{"k1", "points", std::string(257, 's')}}), "257");
}

TEST(KeyRing, no_error_repeats_a_secret) {
  const std::string secret = "swordfish";
  const auto made = make({{"k1", "points", secret}});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().to_string().find(secret), std::string::npos);
}

}  // namespace
}  // namespace waybill::confirm
