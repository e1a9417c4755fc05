// What holds for every handle on which a template can begin and end transactions. A test program
// instantiates it for its database:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, AdoptedConnection, PostgresShop);
//
// A shop has tables orders(id) and local_message; `Connection` is an open connection to it with
// handle() and execute(); `caller` and `other` are two; count() sees what is committed.
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "order_placed.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::testing {

inline std::vector<AddResult> results_of(const std::vector<Ticket>& tickets) {
  std::vector<AddResult> results;
  for (const Ticket& ticket : tickets) results.push_back(ticket.result);
  return results;
}

template <class Shop>
class AdoptedConnection : public ::testing::Test {
 protected:
  using Handle = typename Shop::Handle;
  using Adapter = transaction_adapter<Handle>;
  using Tx = Transaction<Handle>;

  void create_order(const std::string& id) {
    shop.caller.execute("INSERT INTO orders VALUES ('" + id + "')");
  }
  void place(Tx& tx, const std::string& id) {
    create_order(id);
    tx.add(order_placed(id));
  }
  void expect_rows(int rows) {
    EXPECT_EQ(shop.count("orders"), rows);
    EXPECT_EQ(shop.count("local_message"), rows);
  }

  Shop shop;
  Handle& connection = shop.caller.handle();
  const Outbox outbox;
  TransactionTemplate<Handle> transactions{connection, outbox};
};

TYPED_TEST_SUITE_P(AdoptedConnection);

TYPED_TEST_P(AdoptedConnection, C1_a_connection_without_a_transaction_is_refused) {
  const Ticket ticket = this->outbox.add(this->connection, order_placed("A"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_NE(ticket.text.find("BEGIN first"), std::string::npos) << ticket.text;
  const auto several = this->outbox.add(this->connection, orders_placed({"A", "B"}));
  EXPECT_EQ(results_of(several), std::vector(2, AddResult::not_in_transaction));
  this->expect_rows(0);
}

TYPED_TEST_P(AdoptedConnection, C1_another_connection_than_the_templates_is_refused) {
  auto& other = this->shop.other.handle();
  this->shop.other.execute("BEGIN");
  const auto outcome = this->transactions.execute([&](auto&) {
    EXPECT_EQ(this->outbox.add(other, order_placed("A")).result, AddResult::not_in_transaction);
    EXPECT_EQ(this->outbox.add(other, orders_placed({"A"})).at(0).result,
              AddResult::not_in_transaction);
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  TestFixture::Adapter::rollback(other);
  this->expect_rows(0);
}

TYPED_TEST_P(AdoptedConnection, a_template_refuses_a_connection_with_an_open_transaction) {
  TestFixture::Adapter::begin(this->connection);
  this->create_order("A");
  EXPECT_THROW(static_cast<void>(this->transactions.execute([](auto&) {})), std::logic_error);
  TestFixture::Adapter::rollback(this->connection);
  this->expect_rows(0);
}

TYPED_TEST_P(AdoptedConnection, T4_order_and_message_commit_together) {
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->place(tx, "A");
    return 17;
  });
  ASSERT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(*outcome.value, 17);
  this->expect_rows(1);
  EXPECT_EQ(this->shop.count("local_message WHERE state = 'INIT' AND gmt_create = gmt_modified"
                             " AND content = '{}' AND identifier = 'A'"
                             " AND biz_type = 'order' AND message_type = 'order.placed'"
                             " AND headers IS NULL"),
            1);
}

TYPED_TEST_P(AdoptedConnection, T2_an_exception_rolls_both_back) {
  EXPECT_THROW(static_cast<void>(this->transactions.execute([&](auto& tx) {
                 this->place(tx, "A");
                 throw std::runtime_error("out of credit");
               })),
               std::runtime_error);
  this->expect_rows(0);
  EXPECT_EQ(TestFixture::Adapter::status(this->connection), TransactionStatus::idle);
}

TYPED_TEST_P(AdoptedConnection, T3_rollback_only_wins_over_a_normal_return) {
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->place(tx, "A");
    tx.set_rollback_only();
    return 1;
  });
  EXPECT_TRUE(outcome.rolled_back());
  this->expect_rows(0);
}

TYPED_TEST_P(AdoptedConnection, T7_a_savepoint_takes_its_rows_along) {
  int actions = 0;
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->place(tx, "A");
    const auto inner = this->transactions.execute_nested([&](auto& part) {
      this->place(part, "B");
      part.after_commit([&] { ++actions; });
      static_cast<void>(this->transactions.execute([&](auto& joined) {
        this->place(joined, "C");
        joined.set_rollback_only();
      }));
    });
    EXPECT_TRUE(inner.rolled_back());
    this->place(tx, "D");
    tx.after_commit([&] { ++actions; });
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  this->expect_rows(2);
  EXPECT_EQ(this->shop.count("local_message WHERE identifier IN ('A', 'D')"), 2);
  EXPECT_EQ(actions, 1);
}

TYPED_TEST_P(AdoptedConnection, C5_a_repeated_message_is_a_duplicate_and_the_transaction_goes_on) {
  Ticket first;
  ASSERT_TRUE(this->transactions
                  .execute([&](auto& tx) {
                    this->create_order("A");
                    first = tx.try_add(order_placed("A"));
                  })
                  .committed());
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->create_order("B");
    const Ticket again = tx.try_add(order_placed("A", "another"));
    EXPECT_EQ(again.result, AddResult::duplicate) << again.text;
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(tx.try_add(order_placed("B")).result, AddResult::added);
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  this->expect_rows(2);
  EXPECT_THROW(
      static_cast<void>(this->transactions.execute([&](auto& tx) { tx.add(order_placed("A")); })),
      DuplicateMessage);
}

TYPED_TEST_P(AdoptedConnection, several_messages_get_a_ticket_each) {
  ASSERT_TRUE(this->transactions.execute([&](auto& tx) { this->place(tx, "A"); }).committed());
  std::vector<Message> messages = orders_placed({"B", "A", "C", "B", "", "D"});
  messages[2].key = "user-1";
  std::vector<Ticket> tickets;
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->create_order("several");
    tickets = tx.try_add(messages);
  });
  ASSERT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(results_of(tickets),
            (std::vector{AddResult::added, AddResult::duplicate, AddResult::added,
                         AddResult::duplicate, AddResult::invalid, AddResult::added}));
  EXPECT_EQ(tickets[3].id, tickets[0].id);
  for (const std::size_t i : {0U, 1U, 2U, 5U}) {
    EXPECT_EQ(this->shop.count("local_message WHERE id = " + std::to_string(tickets[i].id) +
                               " AND identifier = '" + messages[i].identifier + "'"),
              1);
  }
  EXPECT_EQ(this->shop.count("local_message WHERE headers LIKE '%user-1%'"), 1);
  EXPECT_EQ(this->shop.count("local_message"), 4);
}

TYPED_TEST_P(AdoptedConnection, several_messages_are_all_written_or_roll_back_with_the_template) {
  std::vector<std::string> ids(1200);  // more than one INSERT takes
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = std::to_string(i);
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->create_order("several");
    tx.add(orders_placed(ids));
  });
  ASSERT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(this->shop.count("local_message"), 1200);
  EXPECT_TRUE(this->transactions
                  .execute([&](auto& tx) {
                    this->create_order("repeated");
                    const std::vector<Ticket> tickets = tx.try_add(orders_placed(ids));
                    EXPECT_EQ(results_of(tickets),
                              std::vector<AddResult>(ids.size(), AddResult::duplicate));
                    tx.set_rollback_only();
                  })
                  .rolled_back());
  EXPECT_THROW(static_cast<void>(this->transactions.execute([&](auto& tx) {
                 this->create_order("again");
                 tx.add(orders_placed({"new", "7"}));
               })),
               DuplicateMessage);
  EXPECT_EQ(this->shop.count("local_message"), 1200);
  EXPECT_EQ(this->shop.count("orders"), 1);
}

TYPED_TEST_P(AdoptedConnection, C6_content_arrives_byte_for_byte) {
  const std::string emoji =
      "\xF0\x9F\x8E\x81 \xE7\xA7\xAF\xE5\x88\x86 '; DROP TABLE orders; -- \\'";
  const std::string large(65'536, 'x');
  ASSERT_TRUE(this->transactions
                  .execute([&](auto& tx) {
                    this->create_order("A");
                    tx.add(order_placed("emoji", emoji));
                    tx.add(std::vector{order_placed("empty", ""), order_placed("large", large),
                                       order_placed("again", emoji)});
                  })
                  .committed());
  const auto content_of = [&](const std::string& id) {
    const Value key[] = {std::string_view("order")};
    return TestFixture::Adapter::select(
               this->connection,
               {"SELECT content FROM local_message WHERE identifier = '" + id +
                    "' AND biz_type = " +
                    (TestFixture::Adapter::dialect(this->connection) == Dialect::postgres ? "$1"
                                                                                          : "?"),
                key})
        .at(0)
        .at(0);
  };
  EXPECT_EQ(content_of("emoji"), emoji);
  EXPECT_EQ(content_of("again"), emoji);
  EXPECT_EQ(content_of("empty"), "");
  EXPECT_EQ(content_of("large"), large);
}

TYPED_TEST_P(AdoptedConnection, C8_ids_that_look_alike_are_different_messages) {
  const std::vector<std::string> alike = {"ORDER-1", "ORDER-1 ", "order-1", "\xC3\xB6rder-1"};
  const auto outcome = this->transactions.execute([&](auto& tx) {
    this->create_order("A");
    tx.add(order_placed(alike[0]));
    tx.add(orders_placed({alike.begin() + 1, alike.end()}));
  });
  ASSERT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(this->shop.count("local_message"), 4);
}

REGISTER_TYPED_TEST_SUITE_P(AdoptedConnection, C1_a_connection_without_a_transaction_is_refused,
                            C1_another_connection_than_the_templates_is_refused,
                            a_template_refuses_a_connection_with_an_open_transaction,
                            T4_order_and_message_commit_together, T2_an_exception_rolls_both_back,
                            T3_rollback_only_wins_over_a_normal_return,
                            T7_a_savepoint_takes_its_rows_along,
                            C5_a_repeated_message_is_a_duplicate_and_the_transaction_goes_on,
                            several_messages_get_a_ticket_each,
                            several_messages_are_all_written_or_roll_back_with_the_template,
                            C6_content_arrives_byte_for_byte,
                            C8_ids_that_look_alike_are_different_messages);

}  // namespace waybill::testing
