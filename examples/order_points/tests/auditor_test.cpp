// The auditor judges everything else, so it is shown every fault by hand.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>

#include "../database.hpp"
#include "../orders.hpp"
#include "program.hpp"

namespace order_points {
namespace {
using test::ProgramResult;
using test::run_program;

class Auditor : public testing::Test {
 protected:
  void SetUp() override {
    orders_ = open_database<sqlite3*>(scratch_.file("orders.db"), OpenAs::created_if_missing);
    points_ = open_database<sqlite3*>(scratch_.file("points.db"), OpenAs::created_if_missing);
    create_order_table(orders_.get());
    run_sql(orders_.get(), "CREATE TABLE local_message(id INTEGER PRIMARY KEY, state TEXT)");
    run_sql(points_.get(),
            "CREATE TABLE grants(grant_id INTEGER PRIMARY KEY, message_id TEXT, order_id TEXT,"
            " user_id TEXT, points INTEGER, granted_at INTEGER)");
    place("A-1");
    grant("A-1", "u1", 42, 500);
  }

  void place(const std::string& order_id) {
    run_sql(orders_.get(), ("INSERT INTO orders VALUES('" + order_id +
                            "','u1',4250,42,0);"
                            "INSERT INTO local_message(state) VALUES('SUCCESS')")
                               .c_str());
  }
  void grant(const std::string& order_id, const std::string& user_id, int points, int at) {
    run_sql(points_.get(), ("INSERT INTO grants VALUES(NULL,'m','" + order_id + "','" + user_id +
                            "'," + std::to_string(points) + "," + std::to_string(at) + ")")
                               .c_str());
  }
  [[nodiscard]] ProgramResult audit(const std::string& more = "") const {
    return run_program(AUDITOR " --orders " + scratch_.file("orders.db") + " --points " +
                       scratch_.file("points.db") + " --json " + more);
  }
  // The only counter that is not zero, with an exit code of 1; "" when all is right.
  [[nodiscard]] std::string fault(const std::string& more = "") const {
    const ProgramResult result = audit(more);
    const boost::json::object report = boost::json::parse(result.output).as_object();
    std::string found;
    for (const char* name : {"missing", "double", "phantom", "wrong", "unfinished", "untrue"})
      if (const auto value = report.at(name).as_int64(); value != 0)
        found += std::string(name) + "=" + std::to_string(value) + " ";
    EXPECT_EQ(result.exit_code, found.empty() ? 0 : 1);
    EXPECT_EQ(report.at("clean").as_bool(), found.empty());
    return found;
  }

  test::Scratch scratch_;
  Database<sqlite3*> orders_, points_;
};

TEST_F(Auditor, finds_nothing_when_every_order_has_its_points) {
  EXPECT_EQ(fault(), "");
}

TEST_F(Auditor, finds_an_order_without_points) {
  place("A-2");
  EXPECT_EQ(fault(), "missing=1 ");
}

TEST_F(Auditor, finds_an_order_with_points_twice) {
  grant("A-1", "u1", 42, 600);
  EXPECT_EQ(fault(), "double=1 ");
}

TEST_F(Auditor, finds_points_without_an_order) {
  grant("A-3", "u1", 42, 600);
  EXPECT_EQ(fault(), "phantom=1 ");
}

TEST_F(Auditor, finds_points_of_another_amount_or_user) {
  place("A-2");
  grant("A-2", "u1", 41, 600);
  place("A-3");
  grant("A-3", "u2", 42, 600);
  EXPECT_EQ(fault(), "wrong=2 ");
}

TEST_F(Auditor, finds_messages_that_are_not_finished) {
  run_sql(orders_.get(), "UPDATE local_message SET state = 'SENT'");
  EXPECT_EQ(fault("--wait 0.2"), "unfinished=1 ");
}

TEST_F(Auditor, finds_answers_that_the_database_contradicts) {
  std::ofstream(scratch_.file("told")) << "A-1\trolled_back\t42\nA-9\tcommitted\t1\n"
                                       << "A-1\tcommitted\t42\nA-8\tunknown\t1\n";
  EXPECT_EQ(fault("--told " + scratch_.file("told")), "untrue=2 ");
}

TEST_F(Auditor, reports_the_wait_from_order_to_first_grant) {
  place("A-2");
  grant("A-2", "u1", 42, 700);
  const boost::json::value report = boost::json::parse(audit().output);
  EXPECT_EQ(report.at("p50_ms").as_int64(), 500);
  EXPECT_EQ(report.at("p99_ms").as_int64(), 700);
}

TEST_F(Auditor, leaves_those_that_were_held_up_out_of_the_waits) {
  run_sql(orders_.get(), "UPDATE orders SET user_id = 'u2' WHERE order_id = 'A-1'");
  place("A-2");
  grant("A-2", "u1", 42, 700);
  const boost::json::value report = boost::json::parse(audit("--held-up u2").output);
  EXPECT_EQ(report.at("p50_ms").as_int64(), 700);
}

TEST_F(Auditor, cannot_tell_without_a_database) {
  const ProgramResult result =
      run_program(AUDITOR " --orders /nonexistent.db --points " + scratch_.file("points.db"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.output.find("/nonexistent.db"), std::string::npos);
}

}  // namespace
}  // namespace order_points
