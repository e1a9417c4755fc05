#include "address.hpp"

#include <gtest/gtest.h>

namespace waybill::cli {
namespace {

TEST(Address, gives_the_file_of_a_store_url) {
  const auto path = parse_store_url("sqlite:///var/lib/shop/orders.db");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(*path, "/var/lib/shop/orders.db");
}

TEST(Address, gives_the_file_of_a_queue_url) {
  const auto path = parse_queue_url("queue:///var/lib/shop/queue.db");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(*path, "/var/lib/shop/queue.db");
}

TEST(Address, decodes_percent_escapes_in_the_path) {
  const auto path = parse_store_url("sqlite:///tmp/a%20b%3F%25.db");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(*path, "/tmp/a b?%.db");
}

struct Refused {
  const char* url;
  const char* text;
  const char* hint;
};

TEST(Address, refuses_what_is_no_store_url_and_says_why) {
  const Refused cases[] = {
      {"", "the store URL is empty", "write sqlite:///absolute/path"},
      {"/tmp/a.db", "'/tmp/a.db' is no URL", "write sqlite:///tmp/a.db"},
      {"a.db", "'a.db' is no URL", "write sqlite:///absolute/path"},
      {"sqlite:/tmp/a.db", "'sqlite:/tmp/a.db' is no URL", "write sqlite:///absolute/path"},
      {"sqlite://tmp/a.db", "'sqlite://tmp/a.db' has a relative path or a host",
       "the path must be absolute, after three slashes: sqlite:///absolute/path"},
      {"sqlite://", "'sqlite://' has a relative path or a host",
       "the path must be absolute, after three slashes: sqlite:///absolute/path"},
      {"sqlite:///tmp/", "'sqlite:///tmp/' names a folder, not a file",
       "write sqlite:///absolute/path"},
      {"sqlite:///tmp/a.db?mode=ro",
       "'sqlite:///tmp/a.db?mode=ro' has a query or a fragment, which mean nothing here",
       "write '?' and '#' in a file name as %3F and %23"},
      {"sqlite:///tmp/%zz", "bad percent-encoding in path '/tmp/%zz'",
       "write a '%' in a file name as %25"},
      {"sqlite:///tmp/a%", "bad percent-encoding in path '/tmp/a%'",
       "write a '%' in a file name as %25"},
      {"sqlite:///tmp/a%00b", "bad percent-encoding in path '/tmp/a%00b'",
       "write a '%' in a file name as %25"},
      {"queue:///tmp/a", "unknown scheme 'queue' in the store URL",
       "known: sqlite:///absolute/path, postgresql://user@host/database, "
       "mariadb://user@host/database"},
  };
  for (const Refused& refused : cases) {
    const auto path = parse_store_url(refused.url);
    ASSERT_FALSE(path.ok()) << refused.url;
    EXPECT_EQ(path.error().text, refused.text);
    EXPECT_EQ(path.error().hint, refused.hint);
    EXPECT_EQ(path.error().remedy, Remedy::fix_call);
  }
}

TEST(Address, leaves_the_url_of_a_server_to_its_driver) {
  for (const std::string url : {"postgresql://shop@db:5432/orders", "postgres:///orders"}) {
    EXPECT_TRUE(is_postgres_url(url));
    EXPECT_EQ(*parse_store_url(url), url);
  }
  EXPECT_FALSE(is_postgres_url("sqlite:///postgresql://"));
  EXPECT_TRUE(is_mariadb_url("mariadb://shop@db/orders"));
  EXPECT_EQ(*parse_store_url("mariadb://shop@db/orders"), "mariadb://shop@db/orders");
}

TEST(Address, keeps_credentials_behind_an_unknown_scheme_to_itself) {
  const auto path = parse_store_url("oracle://shop:hunter2@db/orders");
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().to_string().find("hunter2"), std::string::npos);
  EXPECT_EQ(path.error().text, "unknown scheme 'oracle' in the store URL");
}

}  // namespace
}  // namespace waybill::cli
