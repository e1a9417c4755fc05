#include <errmsg.h>
#include <gtest/gtest.h>
#include <mysqld_error.h>

#include "waybill/drivers/mariadb.hpp"

namespace waybill::mariadb {
namespace {

TEST(MariadbErrors, are_told_by_what_the_caller_can_do) {
  struct Case {
    unsigned code;
    Remedy remedy;
    std::string hint;  // a part of it
  };
  const Case cases[] = {
      {ER_LOCK_DEADLOCK, Remedy::retry, ""},
      {ER_LOCK_WAIT_TIMEOUT, Remedy::retry, ""},
      {ER_OPTION_PREVENTS_STATEMENT, Remedy::retry, "primary"},
      {ER_READ_ONLY_MODE, Remedy::retry, "primary"},
      {ER_CON_COUNT_ERROR, Remedy::retry, "max_connections"},
      {ER_USER_LIMIT_REACHED, Remedy::retry, "max_connections"},
      {ER_STATEMENT_TIMEOUT, Remedy::retry, ""},
      {ER_CONNECTION_KILLED, Remedy::retry, ""},
      {ER_SERVER_SHUTDOWN, Remedy::retry, ""},
      {ER_RECORD_FILE_FULL, Remedy::retry, "free space"},
      {CR_CONNECTION_ERROR, Remedy::retry, "server runs"},
      {CR_CONN_HOST_ERROR, Remedy::retry, "server runs"},
      {CR_SERVER_GONE_ERROR, Remedy::retry, ""},
      {CR_SERVER_LOST, Remedy::retry, ""},
      {ER_ACCESS_DENIED_ERROR, Remedy::fix_call, "password"},
      {ER_BAD_DB_ERROR, Remedy::fix_call, "create the database"},
      {ER_NO_SUCH_TABLE, Remedy::fix_call, "waybill schema apply"},
      {ER_BAD_FIELD_ERROR, Remedy::fix_call, "waybill schema apply"},
      {ER_KEY_DOES_NOT_EXISTS, Remedy::fix_call, "waybill schema check"},
      {ER_TABLEACCESS_DENIED_ERROR, Remedy::fix_call, "grant"},
      {ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, Remedy::fix_call, "ROW or MIXED"},
      {CR_SSL_CONNECTION_ERROR, Remedy::fix_call, "ssl"},
      {ER_DATA_TOO_LONG, Remedy::fix_call, ""},
      {ER_PARSE_ERROR, Remedy::fix_call, ""},
  };
  for (const Case& each : cases) {
    const Error error = translate(each.code, "what the server said\nand more", "MariaDB");
    EXPECT_EQ(error.remedy, each.remedy) << each.code;
    EXPECT_NE(error.hint.find(each.hint), std::string::npos) << each.code << ' ' << error.hint;
    EXPECT_EQ(error.text, "MariaDB: what the server said [" + std::to_string(each.code) + "]");
  }
}

TEST(MariadbErrors, say_when_the_connection_is_gone) {
  for (const unsigned code : {CR_SERVER_GONE_ERROR, CR_SERVER_LOST, ER_CONNECTION_KILLED,
                              ER_SERVER_SHUTDOWN, CR_ERR_NET_READ}) {
    EXPECT_TRUE(ends_connection(code)) << code;
  }
  for (const unsigned code : {ER_LOCK_DEADLOCK, ER_STATEMENT_TIMEOUT, ER_NO_SUCH_TABLE}) {
    EXPECT_FALSE(ends_connection(code)) << code;
  }
}

TEST(MariadbVersion, older_servers_and_other_makes_are_refused) {
  for (const char* good : {"10.6.0-MariaDB", "10.11.19-MariaDB-0+deb12u1-log", "11.4.2-MariaDB",
                           "5.5.5-10.11.6-MariaDB-log"}) {
    EXPECT_FALSE(refuse_version(good).has_value()) << good;
  }
  for (const char* bad :
       {"10.5.23-MariaDB", "5.5.5-10.3.39-MariaDB", "8.0.36", "8.4.0-commercial"}) {
    const auto refused = refuse_version(bad);
    ASSERT_TRUE(refused.has_value()) << bad;
    EXPECT_EQ(refused->remedy, Remedy::fix_call);
    EXPECT_NE(refused->hint.find("10.6"), std::string::npos) << refused->hint;
  }
  EXPECT_NE(refuse_version("8.0.36")->hint.find("MySQL is not supported"), std::string::npos);
}

TEST(MariadbTime, is_written_with_microseconds_and_stays_within_what_a_column_holds) {
  using namespace std::chrono;
  EXPECT_EQ(to_text(DatabaseTime(seconds(1700000000) + microseconds(123042))),
            "2023-11-14 22:13:20.123042");
  EXPECT_EQ(to_text(DatabaseTime(seconds(-1))), "1970-01-01 00:00:00.000000");
  EXPECT_EQ(to_text(DatabaseTime::max()), "9999-12-31 23:59:59.999999");
}

}  // namespace
}  // namespace waybill::mariadb
