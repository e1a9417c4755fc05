#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class Clean : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    set_up_shop("points");
  }

  // Rows 1 … count in `state`, untouched since 2020.
  void insert_old(int count, const std::string& state) const {
    sql("orders.db",
        "INSERT INTO local_message(message_type, biz_type, identifier, content, state, gmt_create, "
        "gmt_modified) SELECT 'order.placed', 'order', '" +
            state + "-' || value, '', '" + state +
            "', '2020-01-01 00:00:00.000', '2020-01-01 00:00:00.000' FROM generate_series(1, " +
            std::to_string(count) + ");");
  }
  void announce(const std::string& consumer, int seconds) const {
    sql("orders.db",
        "INSERT INTO waybill_consumer(message_type, consumer, confirmed_sent, retention) "
        "VALUES('order.placed', '" +
            consumer + "', '2026-01-02 03:04:05.000', " + std::to_string(seconds) + ");");
  }
  std::string left() const { return sql("orders.db", "SELECT COUNT(*) FROM local_message;"); }
};

TEST_F(Clean, J4_deletes_old_final_rows_and_nothing_else) {
  insert_old(1200, "SUCCESS");
  insert_old(10, "CANCELLED");
  insert_old(10, "DEAD");
  insert_old(10, "SENT");
  insert_orders(1, 5);
  const Answer looked = waybill({"clean", "--dry-run", "--json"});
  EXPECT_EQ(looked.exit_code, 0) << looked.err;
  EXPECT_EQ(looked.json().at("deleted").as_int64(), 1210);
  EXPECT_TRUE(looked.json().at("dry_run").as_bool());
  EXPECT_EQ(left(), "1235\n");
  const Answer cleaned = waybill({"clean"});
  EXPECT_EQ(cleaned.exit_code, 0) << cleaned.err;
  EXPECT_EQ(cleaned.out, "deleted 1210 of 1235 messages looked at\n");
  EXPECT_EQ(left(), "25\n");
  EXPECT_EQ(waybill({"clean", "--json"}).json().at("deleted").as_int64(), 0);
}

TEST_F(Clean, J4_keeps_what_is_younger_than_was_asked) {
  insert_old(3, "SUCCESS");
  sql("orders.db",
      "UPDATE local_message SET gmt_modified = strftime('%Y-%m-%d %H:%M:%f', 'now', '-10 days') "
      "WHERE id > 1;");
  EXPECT_EQ(waybill({"clean", "--older-than", "11d", "--json"}).json().at("deleted"), value(1));
  EXPECT_EQ(waybill({"clean", "--older-than", "9d", "--json"}).json().at("deleted"), value(2));
}

TEST_F(Clean, J4_I5_deletes_nothing_that_a_consumers_inbox_remembers) {
  insert_old(3, "SUCCESS");
  announce("stranger", 30 * 86400);  // no route asks for its confirmation
  announce("points", 8 * 86400);
  const Answer refused = waybill({"clean"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("--older-than 7d: consumer 'points' remembers"), std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("8d"), std::string::npos) << refused.err;
  EXPECT_EQ(left(), "3\n");
  EXPECT_EQ(waybill({"clean", "--older-than", "8d"}).exit_code, 0);
  EXPECT_EQ(left(), "0\n");
}

TEST_F(Clean, refuses_an_age_that_is_none) {
  insert_old(1, "SUCCESS");
  for (const char* age : {"7", "-1d", "soon", ""}) {
    const Answer refused = waybill({"clean", "--older-than", age});
    EXPECT_EQ(refused.exit_code, 2) << age;
    EXPECT_NE(refused.err.find("--older-than"), std::string::npos) << refused.err;
  }
  EXPECT_EQ(left(), "1\n");
}

}  // namespace
}  // namespace waybill::cli
