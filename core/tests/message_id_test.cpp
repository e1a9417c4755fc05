#include "waybill/message_id.hpp"

#include <gtest/gtest.h>

#include <random>

namespace waybill {
namespace {

TEST(MessageId, C8_is_unambiguous_and_compared_as_bytes) {
  EXPECT_EQ((MessageId{"order", "order.placed", "A-17"}.to_string()), "order/order.placed/A-17");
  EXPECT_NE((MessageId{"b", "a/b", "c"}.to_string()), (MessageId{"b/a", "b", "c"}.to_string()));
  EXPECT_NE((MessageId{"b", "t", "ORDER-1"}.to_string()),
            (MessageId{"b", "t", "ORDER-1 "}.to_string()));
  EXPECT_NE((MessageId{"b", "t", "ORDER-1"}.to_string()),
            (MessageId{"b", "t", "order-1"}.to_string()));
}

TEST(MessageId, C8_escapes_separators_controls_and_non_ascii) {
  EXPECT_EQ((MessageId{"a/b", "50%", "\n\xC3\xA9\x7F"}.to_string()), "a%2Fb/50%25/%0A%C3%A9%7F");
}

TEST(MessageId, C8_comes_back_as_it_was_for_any_bytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<int> length(1, 80);
  for (int round = 0; round < 2000; ++round) {
    const auto part = [&] {
      std::string text(static_cast<std::size_t>(length(random)), ' ');
      for (char& c : text) c = static_cast<char>(byte(random));
      return text;
    };
    const MessageId id{part(), part(), part()};
    ASSERT_LE(id.to_string().size(), kMessageIdBytesMax);
    const auto parsed = MessageId::parse(id.to_string());
    ASSERT_TRUE(parsed.ok()) << parsed.error().text;
    ASSERT_EQ(*parsed, id);
  }
}

TEST(MessageId, C8_refuses_every_spelling_that_it_never_writes) {
  for (const char* text : {"", "a", "a/b", "a/b/c/d", "a//c", "/b/c", "a/b/", "a/b/%", "a/b/%2",
                           "a/b/%2f", "a/b/%41", "a/b/%ZZ", "a/b/\x01", "a/b/\xC3\xA9"}) {
    EXPECT_FALSE(MessageId::parse(text).ok()) << text;
  }
  EXPECT_FALSE(MessageId::parse("a/b/" + std::string(kMessageIdBytesMax, 'x')).ok());
}

}  // namespace
}  // namespace waybill
