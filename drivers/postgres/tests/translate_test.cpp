#include <gtest/gtest.h>

#include "waybill/drivers/postgres.hpp"

namespace waybill::postgres {
namespace {

TEST(PostgresErrors, are_told_by_what_the_caller_can_do) {
  struct Case {
    std::string sqlstate;
    Remedy remedy;
    std::string hint;  // a part of it
  };
  const Case cases[] = {
      {"08006", Remedy::retry, ""},                 // connection failure
      {"40001", Remedy::retry, ""},                 // serialization failure
      {"40P01", Remedy::retry, ""},                 // deadlock
      {"25006", Remedy::retry, "primary"},          // read-only
      {"25P03", Remedy::retry, ""},                 // idle in a transaction for too long
      {"53100", Remedy::retry, "free space"},       // disk full
      {"53200", Remedy::retry, ""},                 // out of memory
      {"53300", Remedy::retry, "max_connections"},  // too many connections
      {"55P03", Remedy::retry, ""},                 // lock not available
      {"57014", Remedy::retry, ""},                 // statement_timeout, or cancelled
      {"57P01", Remedy::retry, ""},                 // the server shuts down
      {"57P03", Remedy::retry, ""},                 // it starts up
      {"58030", Remedy::retry, ""},                 // I/O error
      {"28P01", Remedy::fix_call, "password"},      // wrong password
      {"3D000", Remedy::fix_call, "create the database"},
      {"42501", Remedy::fix_call, "grant"},                 // insufficient privilege
      {"42P01", Remedy::fix_call, "waybill schema apply"},  // no such table
      {"42703", Remedy::fix_call, "waybill schema apply"},  // no such column
      {"22001", Remedy::fix_call, ""},                      // too long
      {"23505", Remedy::fix_call, ""},                      // unique violation
      {"25P02", Remedy::fix_call, ""},                      // behind an error of the transaction
      {"42601", Remedy::fix_call, ""},                      // syntax error
  };
  for (const Case& each : cases) {
    const Error error =
        translate(each.sqlstate, "ERROR:  what the server said\nDETAIL:  more", "PostgreSQL");
    EXPECT_EQ(error.remedy, each.remedy) << each.sqlstate;
    EXPECT_NE(error.hint.find(each.hint), std::string::npos) << each.sqlstate << ' ' << error.hint;
    EXPECT_EQ(error.text, "PostgreSQL: what the server said [" + each.sqlstate + "]");
  }
}

TEST(PostgresErrors, without_a_state_are_those_of_a_broken_connection) {
  const Error error = translate("", "server closed the connection unexpectedly\n", "PostgreSQL");
  EXPECT_EQ(error.remedy, Remedy::retry);
  EXPECT_EQ(error.text, "PostgreSQL: server closed the connection unexpectedly");
}

TEST(PostgresErrors, about_a_url_that_cannot_be_read_quote_nothing_of_it) {
  for (const char* url : {"postgresql://shop:sec/ret@localhost/orders",    // port "sec"
                          "postgresql://shop:sec@ret@localhost/orders",    // host "ret@localhost"
                          "postgresql://shop:sec%zzret@localhost/orders",  // no hexadecimal digits
                          "postgresql://shop:sec:ret@[::1/orders", "postgresql://sec:ret/orders",
                          "postgresql://localhost/orders?secret=ret"}) {
    Settings settings;
    settings.url = url;
    try {
      const Database database(settings);
      FAIL() << url;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.error.remedy, Remedy::fix_call) << url << ' ' << failure.error.text;
      EXPECT_EQ(failure.error.text.find("sec"), std::string::npos) << failure.error.text;
      EXPECT_EQ(failure.error.text.find("ret"), std::string::npos) << failure.error.text;
      EXPECT_NE(failure.error.hint.find("%40"), std::string::npos) << failure.error.hint;
    }
  }
}

}  // namespace
}  // namespace waybill::postgres
