#include <gtest/gtest.h>

#include "waybill/stores/schema.hpp"

namespace waybill::store {
namespace {

TEST(PublicUrl, is_the_url_without_its_password) {
  EXPECT_EQ(public_url("mariadb://shop:hunter2@db/orders"), "mariadb://shop@db/orders");
  EXPECT_EQ(public_url("postgresql://shop:hunter2@db:5432/orders"),
            "postgresql://shop@db:5432/orders");
  EXPECT_EQ(public_url("mariadb://shop@db/orders"), "mariadb://shop@db/orders");
  EXPECT_EQ(public_url("postgresql://shop@db:5432/orders"), "postgresql://shop@db:5432/orders");
  EXPECT_EQ(public_url("postgresql://db:5432/orders"), "postgresql://db:5432/orders");
}

TEST(PublicUrl, shows_no_part_of_a_password_that_was_not_encoded) {
  EXPECT_EQ(public_url("mariadb://shop:h@nter/2@db:3306/orders?ssl=1"),
            "mariadb://shop@db:3306/orders?ssl=1");
  EXPECT_EQ(public_url("mariadb://shop:h?ter=2@db/orders"), "mariadb://shop@db/orders");
  EXPECT_EQ(public_url("postgresql://shop:h@nter2@db/orders"), "postgresql://shop@db/orders");
}

TEST(PublicUrl, trusts_no_scheme) {
  EXPECT_EQ(public_url("mysql://shop:hunter2@db/orders"), "mysql://shop@db/orders");
  EXPECT_EQ(public_url("shop:hunter2@db/orders"), "shop@db/orders");
}

TEST(PublicUrl, leaves_out_parameters_that_hold_a_password) {
  EXPECT_EQ(public_url("postgresql://shop@db/o?password=hunter2&sslmode=require"),
            "postgresql://shop@db/o?sslmode=require");
  EXPECT_EQ(public_url("postgresql://shop@db/o?sslmode=require&sslpassword=hunter2"),
            "postgresql://shop@db/o?sslmode=require");
  EXPECT_EQ(public_url("mariadb://shop@db/o?passwd=hunter2"), "mariadb://shop@db/o");
}

}  // namespace
}  // namespace waybill::store
