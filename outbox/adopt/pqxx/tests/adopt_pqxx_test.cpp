// The caller's own libpqxx transaction, against a real server.
#include "waybill/adopt/pqxx.hpp"

#include <gtest/gtest.h>

#include <string>

#include "order_placed.hpp"
#include "postgres_shop.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::testing {
namespace {

class AdoptPqxxTest : public ::testing::Test {
 protected:
  static void create_order(pqxx::transaction_base& transaction, const std::string& id) {
    transaction.exec_params("INSERT INTO orders VALUES ($1)", id);
  }
  void expect_rows(int rows) {
    EXPECT_EQ(shop.count("orders"), rows);
    EXPECT_EQ(shop.count("local_message"), rows);
  }

  PostgresShop shop;
  pqxx::connection connection{shop.url()};
  const Outbox outbox;
};

TEST_F(AdoptPqxxTest, T1_order_and_message_commit_together_or_not_at_all) {
  const std::string emoji = "\xF0\x9F\x8E\x81 ' \\";
  for (const bool commits : {false, true}) {
    pqxx::work transaction(connection);
    create_order(transaction, "A");
    const Ticket ticket = outbox.add(transaction, order_placed("A", emoji));
    EXPECT_EQ(ticket.result, AddResult::added) << ticket.text;
    EXPECT_GT(ticket.transaction_id, 0U);
    if (commits) transaction.commit();
  }
  expect_rows(1);
  EXPECT_EQ(shop.count("local_message WHERE content = E'" + std::string("\xF0\x9F\x8E\x81") +
                       " '' \\\\' AND headers IS NULL"),
            1);
}

TEST_F(AdoptPqxxTest, C1_outside_a_transaction_nothing_is_written) {
  pqxx::nontransaction none(connection);
  const Ticket ticket = outbox.add(none, order_placed("A"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_NE(ticket.text.find("BEGIN first"), std::string::npos) << ticket.text;
  const auto tickets = outbox.add(none, orders_placed({"A", "B"}));
  EXPECT_EQ(tickets.at(1).result, AddResult::not_in_transaction);
  expect_rows(0);
}

TEST_F(AdoptPqxxTest, C1_the_message_before_its_order_is_refused_with_the_way_out) {
  pqxx::work transaction(connection);
  const Ticket ticket = outbox.add(transaction, order_placed("A"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_NE(ticket.text.find("business row before"), std::string::npos) << ticket.text;
  create_order(transaction, "A");
  EXPECT_EQ(outbox.add(transaction, order_placed("A")).result, AddResult::added);
  transaction.commit();
  expect_rows(1);
}

TEST_F(AdoptPqxxTest, C1_inside_a_template_of_another_connection_it_is_refused) {
  TransactionTemplate<PGconn*> transactions(shop.caller.handle(), outbox);
  pqxx::work transaction(connection);
  create_order(transaction, "A");
  const auto outcome = transactions.execute([&](auto&) {
    EXPECT_EQ(outbox.add(transaction, order_placed("A")).result, AddResult::not_in_transaction);
  });
  EXPECT_TRUE(outcome.committed());
}

TEST_F(AdoptPqxxTest, C5_duplicates_are_told_and_the_transaction_goes_on) {
  pqxx::work transaction(connection);
  create_order(transaction, "several");
  const Ticket first = outbox.add(transaction, order_placed("A"));
  EXPECT_EQ(outbox.add(transaction, order_placed("A")).id, first.id);
  const auto tickets = outbox.add(transaction, orders_placed({"B", "A", "B"}));
  EXPECT_EQ(tickets.at(0).result, AddResult::added);
  EXPECT_EQ(tickets.at(1).result, AddResult::duplicate);
  EXPECT_EQ(tickets.at(1).id, first.id);
  EXPECT_EQ(tickets.at(2).result, AddResult::duplicate);
  EXPECT_EQ(tickets.at(2).id, tickets.at(0).id);
  transaction.commit();
  EXPECT_EQ(shop.count("local_message"), 2);
}

TEST_F(AdoptPqxxTest, T9_nothing_is_added_to_an_aborted_transaction) {
  pqxx::work transaction(connection);
  create_order(transaction, "A");
  EXPECT_THROW(create_order(transaction, "A"), pqxx::unique_violation);  // and swallowed
  EXPECT_THROW(static_cast<void>(outbox.add(transaction, order_placed("A"))), pqxx::sql_error);
  EXPECT_THROW(static_cast<void>(outbox.add(transaction, orders_placed({"A"}))), pqxx::sql_error);
  transaction.commit();  // answered with ROLLBACK, of which libpqxx 6 says nothing
  expect_rows(0);
}

TEST_F(AdoptPqxxTest, T9_a_transaction_ended_by_hand_takes_no_message) {
  pqxx::work transaction(connection);
  create_order(transaction, "A");
  transaction.exec("ROLLBACK");
  EXPECT_EQ(outbox.add(transaction, order_placed("A")).result, AddResult::not_in_transaction);
  transaction.abort();
  expect_rows(0);
}

TEST_F(AdoptPqxxTest, T9_a_terminated_backend_leaves_no_message_alone) {
  pqxx::work transaction(connection);
  create_order(transaction, "A");
  shop.other.execute("SELECT pg_terminate_backend(" + std::to_string(connection.backendpid()) +
                     ")");
  EXPECT_THROW(static_cast<void>(outbox.add(transaction, order_placed("A"))), std::exception);
  EXPECT_THROW(static_cast<void>(outbox.add(transaction, order_placed("A"))), std::exception);
  expect_rows(0);
}

}  // namespace
}  // namespace waybill::testing
