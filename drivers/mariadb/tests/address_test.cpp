#include <gtest/gtest.h>

#include "waybill/drivers/mariadb.hpp"

namespace waybill::mariadb {
namespace {

Address parsed(const std::string& url) {
  const auto address = parse_url(url);
  EXPECT_TRUE(address.ok()) << url << ": " << (address ? "" : address.error().to_string());
  return address ? *address : Address();
}

TEST(MariadbUrl, names_user_host_port_and_database) {
  const Address plain = parsed("mariadb://shop@db.example:3307/orders");
  EXPECT_EQ(plain.user, "shop");
  EXPECT_FALSE(plain.password.has_value());
  EXPECT_EQ(plain.host, "db.example");
  EXPECT_EQ(plain.port, 3307);
  EXPECT_EQ(plain.database, "orders");
  EXPECT_FALSE(plain.ssl);

  const Address least = parsed("mariadb:///orders");
  EXPECT_EQ(least.host, "127.0.0.1");
  EXPECT_EQ(least.port, 3306);
  EXPECT_EQ(least.user, "");

  const Address v6 = parsed("mariadb://shop@[::1]:3308/orders");
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.port, 3308);
}

TEST(MariadbUrl, decodes_each_part_by_itself) {
  const Address address = parsed("mariadb://a%40b:p%3A%2F%25%40w@db/or%20ders?socket=%2Frun%2Fmy");
  EXPECT_EQ(address.user, "a@b");
  EXPECT_EQ(address.password, "p:/%@w");
  EXPECT_EQ(address.database, "or ders");
  EXPECT_EQ(address.socket, "/run/my");
  EXPECT_EQ(parsed("mariadb://a:@db/orders").password, "") << "an empty password is one";
}

TEST(MariadbUrl, an_issuer_turns_tls_and_the_check_of_the_server_on) {
  const Address with_ca = parsed("mariadb://a@db/orders?ssl-ca=/etc/ca.pem");
  EXPECT_EQ(with_ca.ssl_ca, "/etc/ca.pem");
  EXPECT_TRUE(with_ca.ssl);
  EXPECT_TRUE(with_ca.ssl_verify);
  const Address unverified = parsed("mariadb://a@db/o?ssl-ca=/ca&ssl-verify-server-cert=false");
  EXPECT_TRUE(unverified.ssl);
  EXPECT_FALSE(unverified.ssl_verify);
  EXPECT_TRUE(parsed("mariadb://a@db/orders?ssl=1").ssl);
  EXPECT_EQ(parsed("mariadb://a@db/o?ssl-cert=/c&ssl-key=/k").ssl_key, "/k");
  EXPECT_EQ(parsed("mariadb://a@db/o?defaults-file=/my.cnf").defaults_file, "/my.cnf");
}

TEST(MariadbUrl, what_is_wrong_is_said_without_the_password) {
  struct Case {
    std::string url;
    std::string text;
  };
  const Case cases[] = {
      {"mysql://shop:hunter2@db/orders", "mariadb://"},
      {"mariadb://shop:hunter2@db", "names no database"},
      {"mariadb://shop:hunter2@db/", "names no database"},
      {"mariadb://shop:hunter2@db:0/orders", "no number from 1"},
      {"mariadb://shop:hunter2@db:x/orders", "no number from 1"},
      {"mariadb://shop:hunter2/orders", "no number from 1"},
      {"mariadb://shop:hunter2@db:70000/orders", "no number from 1"},
      {"mariadb://shop:hunter2@[::1/orders", "']'"},
      {"mariadb://shop:hunter2%2@db/orders", "'%' in its password"},
      {"mariadb://shop:hunter2%00@db/orders", "'%' in its password"},
      {"mariadb://shop:hunter2@db/orders?colour=red", "'colour'"},
      {"mariadb://shop:hunter2@db/orders?ssl=maybe", "'ssl'"},
      {"mariadb://shop:hunter2@db/orders?ssl", "without '='"},
  };
  for (const Case& each : cases) {
    const auto address = parse_url(each.url);
    ASSERT_FALSE(address.ok()) << each.url;
    EXPECT_EQ(address.error().remedy, Remedy::fix_call);
    const std::string said = address.error().to_string();
    EXPECT_NE(said.find(each.text), std::string::npos) << said;
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace waybill::mariadb
