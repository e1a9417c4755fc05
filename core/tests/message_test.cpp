#include "waybill/message.hpp"

#include <gtest/gtest.h>

#include <string>

namespace waybill {
namespace {

TEST(StorableText, C6_accepts_utf8_of_every_length_and_the_empty_text) {
  EXPECT_TRUE(is_storable_text(""));
  EXPECT_TRUE(is_storable_text("plain"));
  EXPECT_TRUE(is_storable_text("\xC3\xA9\xE6\xB6\x88\xF0\x9F\x98\x80"));
  EXPECT_TRUE(is_storable_text("\xF4\x8F\xBF\xBF"));
}

TEST(StorableText, C6_refuses_nul_and_broken_utf8) {
  EXPECT_FALSE(is_storable_text(std::string("a\0b", 3)));
  EXPECT_FALSE(is_storable_text("\x80"));
  EXPECT_FALSE(is_storable_text("\xC3"));
  EXPECT_FALSE(is_storable_text("\xE6\xB6"));
  EXPECT_FALSE(is_storable_text("\xC3\x28"));
  EXPECT_FALSE(is_storable_text("\xFF"));
}

TEST(StorableText, C6_refuses_a_bad_byte_wherever_it_stands) {
  const std::string good(20, '\x7F');
  EXPECT_TRUE(is_storable_text(good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char bad : {'\0', '\x80', '\xFF'}) {
      std::string text = good;
      text[at] = bad;
      EXPECT_FALSE(is_storable_text(text)) << at;
    }
  }
}

TEST(StorableText, C6_refuses_overlong_forms_surrogates_and_values_beyond_unicode) {
  EXPECT_FALSE(is_storable_text("\xC0\x80"));
  EXPECT_FALSE(is_storable_text("\xC1\xBF"));
  EXPECT_FALSE(is_storable_text("\xE0\x80\xAF"));
  EXPECT_FALSE(is_storable_text("\xED\xA0\x80"));
  EXPECT_FALSE(is_storable_text("\xF0\x80\x80\xAF"));
  EXPECT_FALSE(is_storable_text("\xF4\x90\x80\x80"));
}

TEST(CountCharacters, counts_code_points) {
  EXPECT_EQ(count_characters(""), 0U);
  EXPECT_EQ(count_characters("a\xC3\xA9\xF0\x9F\x98\x80"), 3U);
}

TEST(Content, keeps_bytes_and_knows_whether_they_are_text) {
  const std::byte raw[] = {std::byte{0}, std::byte{0xFF}};
  EXPECT_TRUE(Content::binary(raw).is_binary());
  EXPECT_EQ(Content::binary(raw).bytes(), std::string_view("\0\xFF", 2));
  EXPECT_FALSE(Content("text").is_binary());
}

}  // namespace
}  // namespace waybill
