#include "waybill/outbox/transaction_template.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "shop_database.hpp"
#include "waybill/outbox/resolve_unknown.hpp"

namespace waybill::testing {
namespace {

using Template = TransactionTemplate<sqlite3*>;
using Tx = Transaction<sqlite3*>;

struct OutOfCredit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A result without a default value, as order numbers often are.
struct OrderNumber {
  explicit OrderNumber(int number) : value(number) {}
  const int value;
};

class TransactionTemplateTest : public ::testing::Test {
 protected:
  TransactionTemplateTest() : owner(shop.open()), db(owner.get()), transactions(db, outbox) {}

  void place(Tx& tx, const std::string& id) {
    insert_order(tx.connection(), id);
    tx.add(order_placed(id));
  }
  void expect_nothing_left() {
    EXPECT_EQ(shop.orders(), 0);
    EXPECT_EQ(shop.messages(), 0);
    EXPECT_EQ(transaction_adapter<sqlite3*>::status(db), TransactionStatus::idle);
    EXPECT_FALSE(OpenTransaction::any());
  }

  ShopDatabase shop;
  Sqlite owner;
  sqlite3* db;
  const Outbox outbox;
  Template transactions;
};

TEST_F(TransactionTemplateTest, T4_commits_order_and_messages_when_the_code_returns) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A-17");
    tx.add(order_placed("A-17-receipt"));
    return OrderNumber(17);
  });
  ASSERT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(outcome.value->value, 17);
  EXPECT_EQ(shop.orders(), 1);
  EXPECT_EQ(shop.messages("state = 'INIT'"), 2);
  EXPECT_FALSE(OpenTransaction::any());
}

TEST_F(TransactionTemplateTest, T4_works_for_code_that_returns_nothing) {
  const Outcome<void> outcome = transactions.execute([&](Tx& tx) { place(tx, "A-17"); });
  EXPECT_TRUE(outcome.committed());
  EXPECT_TRUE(outcome.value.has_value());
  EXPECT_EQ(shop.messages(), 1);
}

TEST_F(TransactionTemplateTest, T2_an_exception_rolls_back_and_propagates_with_its_cause) {
  bool ran = false;
  try {
    static_cast<void>(transactions.execute([&](Tx& tx) {
      tx.after_commit([&] { ran = true; });
      place(tx, "A-17");
      throw OutOfCredit("42 cents missing");
    }));
    FAIL() << "nothing thrown";
  } catch (const OutOfCredit& error) {
    EXPECT_STREQ(error.what(), "42 cents missing");
  }
  EXPECT_FALSE(ran);
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T2_a_refused_message_rolls_back_with_the_reason) {
  try {
    static_cast<void>(transactions.execute([&](Tx& tx) {
      insert_order(tx.connection(), "A-17");
      tx.add(order_placed("A-17", "bad \xFF"));
    }));
    FAIL() << "nothing thrown";
  } catch (const AddRefused& refused) {
    EXPECT_EQ(refused.ticket().result, AddResult::not_text);
    EXPECT_NE(std::string(refused.what()).find("content is not UTF-8 text"), std::string::npos);
  }
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T2_a_COMMIT_that_the_database_refuses_rolls_back_and_propagates) {
  run(db,
      "PRAGMA foreign_keys = ON; CREATE TABLE lines(order_id TEXT REFERENCES orders(id)"
      " DEFERRABLE INITIALLY DEFERRED)");
  EXPECT_THROW(static_cast<void>(transactions.execute([&](Tx& tx) {
                 tx.add(order_placed("A-17"));
                 run(tx.connection(), "INSERT INTO lines VALUES('no such order')");
               })),
               SqliteError);
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T3_set_rollback_only_and_a_normal_return_leave_nothing) {
  bool ran = false;
  const auto outcome = transactions.execute([&](Tx& tx) {
    tx.after_commit([&] { ran = true; });
    place(tx, "A-17");
    tx.set_rollback_only("changed my mind");
    return 17;
  });
  EXPECT_TRUE(outcome.rolled_back());
  EXPECT_FALSE(outcome.value.has_value());
  EXPECT_EQ(outcome.reason, "changed my mind");
  EXPECT_FALSE(ran);
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T4_can_be_used_again_after_every_outcome) {
  static_cast<void>(transactions.execute([&](Tx& tx) { tx.set_rollback_only(); }));
  EXPECT_THROW(static_cast<void>(transactions.execute([](Tx&) { throw OutOfCredit("x"); })),
               OutOfCredit);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A-17"); }).committed());
  EXPECT_EQ(shop.messages(), 1);
}

TEST_F(TransactionTemplateTest, C5_a_repeated_request_is_a_duplicate_and_places_no_second_order) {
  static_cast<void>(transactions.execute([&](Tx& tx) { place(tx, "A-17"); }));
  EXPECT_THROW(static_cast<void>(transactions.execute([&](Tx& tx) {
                 insert_order(tx.connection(), "A-17-again");
                 tx.add(order_placed("A-17"));
               })),
               DuplicateMessage);
  EXPECT_EQ(shop.orders(), 1);
  EXPECT_EQ(shop.messages(), 1);

  const auto tolerant = transactions.execute([&](Tx& tx) {
    insert_order(tx.connection(), "B");
    return tx.try_add(order_placed("A-17")).result;
  });
  ASSERT_TRUE(tolerant.committed());
  EXPECT_EQ(*tolerant.value, AddResult::duplicate);
  EXPECT_EQ(shop.orders(), 2);
}

TEST_F(TransactionTemplateTest, C1_inside_the_template_another_connection_is_refused) {
  const Sqlite other_owner = open_sqlite(shop.path(), 0);
  sqlite3* other = other_owner.get();
  ShopDatabase elsewhere;
  const Sqlite elsewhere_owner = elsewhere.open();
  sqlite3* elsewhere_db = elsewhere_owner.get();
  run(elsewhere_db, "BEGIN");
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A-17");
    EXPECT_EQ(outbox.add(other, order_placed("in autocommit")).result,
              AddResult::not_in_transaction);
    const Ticket ticket = outbox.add(elsewhere_db, order_placed("open, and not the template's"));
    EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
    EXPECT_NE(ticket.text.find("another connection"), std::string::npos) << ticket.text;
    EXPECT_EQ(outbox.add(tx.connection(), order_placed("raw")).result, AddResult::added);
  });
  EXPECT_TRUE(outcome.committed());
  EXPECT_EQ(outbox.add(elsewhere_db, order_placed("afterwards")).result, AddResult::added);
  run(elsewhere_db, "COMMIT");
  EXPECT_EQ(elsewhere.messages(), 1);
  EXPECT_EQ(shop.messages(), 2);
}

TEST_F(TransactionTemplateTest, C1_refuses_a_connection_whose_transaction_somebody_else_began) {
  run(db, "BEGIN");
  EXPECT_THROW(static_cast<void>(transactions.execute([](Tx&) {})), std::logic_error);
  run(db, "ROLLBACK");
  EXPECT_TRUE(transactions.execute([](Tx&) {}).committed());
}

TEST_F(TransactionTemplateTest, T7_three_levels_join_and_actions_run_once_after_the_outermost) {
  std::vector<std::string> actions;
  const auto note = [&](const char* level) {
    return [&actions, this, level] {
      EXPECT_EQ(transaction_adapter<sqlite3*>::status(db), TransactionStatus::idle);
      actions.emplace_back(level);
    };
  };
  const auto outcome = transactions.execute([&](Tx& outer) {
    outer.after_commit(note("outer"));
    place(outer, "A");
    const auto middle = transactions.execute([&](Tx& tx) {
      tx.after_commit(note("middle"));
      place(tx, "B");
      return *transactions
                  .execute([&](Tx& inner) {
                    inner.after_commit(note("inner"));
                    place(inner, "C");
                    return 3;
                  })
                  .value;
    });
    EXPECT_TRUE(actions.empty());
    EXPECT_EQ(shop.messages(), 0);
    return *middle.value;
  });
  ASSERT_TRUE(outcome.committed());
  EXPECT_EQ(*outcome.value, 3);
  EXPECT_EQ(actions, (std::vector<std::string>{"outer", "middle", "inner"}));
  EXPECT_EQ(shop.orders(), 3);
  EXPECT_EQ(shop.messages(), 3);
}

TEST_F(TransactionTemplateTest, T7_an_inner_exception_caught_outside_still_rolls_everything_back) {
  const auto outcome = transactions.execute([&](Tx& outer) {
    place(outer, "A");
    try {
      static_cast<void>(transactions.execute([&](Tx& tx) {
        place(tx, "B");
        throw OutOfCredit("x");
      }));
    } catch (const OutOfCredit&) {
    }
    return 1;
  });
  EXPECT_TRUE(outcome.rolled_back());
  EXPECT_EQ(outcome.reason, "a nested part failed with an exception");
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T7_an_inner_rollback_only_counts_for_the_whole) {
  const auto outcome = transactions.execute([&](Tx& outer) {
    place(outer, "A");
    EXPECT_TRUE(
        transactions.execute([](Tx& inner) { inner.set_rollback_only("inner"); }).rolled_back());
  });
  EXPECT_TRUE(outcome.rolled_back());
  EXPECT_EQ(outcome.reason, "inner");
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T7_a_savepoint_s_rollback_takes_its_rows_and_actions_along) {
  std::vector<std::string> actions;
  const auto outcome = transactions.execute([&](Tx& outer) {
    outer.after_commit([&] { actions.emplace_back("outer"); });
    place(outer, "A");
    const auto refused = transactions.execute_nested([&](Tx& tx) {
      tx.after_commit([&] { actions.emplace_back("refused"); });
      place(tx, "B");
      tx.set_rollback_only("not B");
      return 2;
    });
    EXPECT_TRUE(refused.rolled_back());
    EXPECT_EQ(refused.reason, "not B");
    EXPECT_THROW(
        static_cast<void>(transactions.execute_nested([&](Tx& tx) {
          tx.after_commit([&] { actions.emplace_back("thrown"); });
          place(tx, "C");
          static_cast<void>(transactions.execute_nested([&](Tx& deep) { place(deep, "C-deep"); }));
          throw OutOfCredit("x");
        })),
        OutOfCredit);
    const auto kept = transactions.execute_nested([&](Tx& tx) {
      tx.after_commit([&] { actions.emplace_back("kept"); });
      place(tx, "D");
      return 4;
    });
    EXPECT_EQ(*kept.value, 4);
  });
  EXPECT_TRUE(outcome.committed()) << outcome.reason;
  EXPECT_EQ(actions, (std::vector<std::string>{"outer", "kept"}));
  EXPECT_EQ(shop.orders(), 2);
  EXPECT_EQ(shop.messages("identifier IN ('A', 'D')"), 2);
  EXPECT_EQ(shop.messages(), 2);
}

TEST_F(TransactionTemplateTest, T7_of_three_savepoints_each_takes_what_is_inside_it) {
  std::vector<std::string> actions;
  const auto write = [&](Tx& tx, const std::string& id) {
    tx.after_commit([&actions, id] { actions.push_back(id); });
    place(tx, id);
  };
  // The level that is rolled back, of an outermost transaction and three savepoints in each other.
  const auto place_with_rollback_of = [&](int level, const std::string& prefix) {
    return transactions.execute([&](Tx& outer) {
      write(outer, prefix + "0");
      static_cast<void>(transactions.execute_nested([&](Tx& first) {
        write(first, prefix + "1");
        static_cast<void>(transactions.execute_nested([&](Tx& second) {
          write(second, prefix + "2");
          static_cast<void>(transactions.execute_nested([&](Tx& third) {
            write(third, prefix + "3");
            if (level == 3) third.set_rollback_only();
          }));
          if (level == 2) second.set_rollback_only();
        }));
        if (level == 1) first.set_rollback_only();
      }));
      if (level == 0) outer.set_rollback_only();
    });
  };
  EXPECT_TRUE(place_with_rollback_of(3, "A").committed());
  EXPECT_TRUE(place_with_rollback_of(2, "B").committed());
  EXPECT_TRUE(place_with_rollback_of(1, "C").committed());
  EXPECT_TRUE(place_with_rollback_of(0, "D").rolled_back());
  EXPECT_EQ(actions, (std::vector<std::string>{"A0", "A1", "A2", "B0", "B1", "C0"}));
  EXPECT_EQ(shop.orders(), 6);
  EXPECT_EQ(shop.messages("identifier IN ('A0', 'A1', 'A2', 'B0', 'B1', 'C0')"), 6);
  EXPECT_EQ(shop.messages(), 6);
}

TEST_F(TransactionTemplateTest, execute_nested_belongs_inside_execute) {
  EXPECT_THROW(static_cast<void>(transactions.execute_nested([](Tx&) {})), std::logic_error);
}

TEST_F(TransactionTemplateTest, an_action_that_throws_harms_nobody) {
  bool ran = false;
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A-17");
    tx.after_commit([] { throw OutOfCredit("too late"); });
    tx.after_commit([&] { ran = true; });
  });
  EXPECT_TRUE(outcome.committed());
  EXPECT_TRUE(ran);
}

TEST_F(TransactionTemplateTest, an_action_may_open_the_next_transaction) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    tx.after_commit([&] {
      EXPECT_TRUE(transactions.execute([&](Tx& next) { place(next, "B"); }).committed());
    });
  });
  EXPECT_TRUE(outcome.committed());
  EXPECT_EQ(shop.messages(), 2);
}

TEST_F(TransactionTemplateTest, T9_code_that_swallows_a_full_disk_still_gets_rolled_back) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    run(tx.connection(), "PRAGMA max_page_count = " + text(tx.connection(), "PRAGMA page_count"));
    try {
      run(tx.connection(), "INSERT INTO orders VALUES('B' || hex(zeroblob(100000)))");
      ADD_FAILURE() << "the disk was not full";
    } catch (const SqliteError&) {
    }
    EXPECT_EQ(tx.try_add(order_placed("alone")).result, AddResult::not_in_transaction);
    return 1;
  });
  EXPECT_TRUE(outcome.rolled_back());
  EXPECT_NE(outcome.reason.find("no open transaction"), std::string::npos) << outcome.reason;
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T9_a_transaction_that_ended_before_COMMIT_is_rolled_back) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    run(tx.connection(), "ROLLBACK");
    return 1;
  });
  EXPECT_TRUE(outcome.rolled_back());
  EXPECT_NE(outcome.reason.find("ended the transaction on its own"), std::string::npos);
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, T9_a_transaction_that_ended_inside_a_nested_part_is_rolled_back) {
  const auto outcome = transactions.execute([&](Tx& tx) {
    place(tx, "A");
    const auto nested = transactions.execute_nested([&](Tx& inner) {
      place(inner, "B");
      run(inner.connection(), "ROLLBACK");
    });
    EXPECT_TRUE(nested.rolled_back());
    EXPECT_EQ(tx.try_add(order_placed("alone")).result, AddResult::not_in_transaction);
  });
  EXPECT_TRUE(outcome.rolled_back());
  expect_nothing_left();
}

TEST_F(TransactionTemplateTest, a_database_that_stays_busy_is_the_driver_s_error) {
  const Sqlite blocker = shop.open();
  run(blocker.get(), "BEGIN IMMEDIATE");
  sqlite3_busy_timeout(db, 1);
  try {
    static_cast<void>(transactions.execute([&](Tx& tx) { place(tx, "A"); }));
    FAIL() << "nothing thrown";
  } catch (const SqliteError& error) {
    EXPECT_EQ(error.code() & 0xFF, SQLITE_BUSY);
  }
  run(blocker.get(), "ROLLBACK");
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
}

class ResolveUnknownTest : public TransactionTemplateTest {
 protected:
  static Steady in(Millis wait) { return std::chrono::steady_clock::now() + wait; }
  AddedMessage added(std::int64_t row_id, const std::string& id) {
    const Message message = order_placed(id);
    return {row_id, {message.biz_type, message.message_type, message.identifier}};
  }
  CommitAnswer resolve(const AddedMessage& message, Millis wait) {
    const Sqlite fresh_owner = open_sqlite(shop.path(), 1);
    sqlite3* fresh = fresh_owner.get();
    const CommitAnswer answer = resolve_unknown(fresh, outbox, message, in(wait));
    EXPECT_EQ(transaction_adapter<sqlite3*>::status(fresh), TransactionStatus::idle);
    return answer;
  }
};

TEST_F(ResolveUnknownTest, T6_finds_what_committed) {
  static_cast<void>(transactions.execute([&](Tx& tx) { place(tx, "A"); }));
  EXPECT_EQ(resolve(added(1, "A"), Millis(1000)), CommitAnswer::committed);
  EXPECT_EQ(shop.messages(), 1);
}

TEST_F(ResolveUnknownTest, T6_a_row_id_that_was_rolled_back_and_given_out_again_is_not_ours) {
  std::int64_t row_id = 0;
  static_cast<void>(transactions.execute([&](Tx& tx) {
    row_id = tx.try_add(order_placed("A")).id;
    tx.set_rollback_only();
  }));
  EXPECT_EQ(resolve(added(row_id, "A"), Millis(1000)), CommitAnswer::rolled_back);
  static_cast<void>(
      transactions.execute([&](Tx& tx) { EXPECT_EQ(tx.try_add(order_placed("B")).id, row_id); }));
  EXPECT_EQ(resolve(added(row_id, "A"), Millis(1000)), CommitAnswer::rolled_back);
  EXPECT_TRUE(transactions.execute([&](Tx& tx) { place(tx, "A"); }).committed());
}

TEST_F(ResolveUnknownTest, T6_stays_unknown_while_the_old_transaction_still_holds_the_database) {
  AddedMessage message;
  static_cast<void>(transactions.execute([&](Tx& tx) {
    message = added(tx.try_add(order_placed("A")).id, "A");
    EXPECT_EQ(resolve(message, Millis(20)), CommitAnswer::unknown);
  }));
  EXPECT_EQ(resolve(message, Millis(1000)), CommitAnswer::committed);
}

TEST_F(ResolveUnknownTest, refuses_a_message_that_has_no_row) {
  EXPECT_THROW(static_cast<void>(resolve(added(0, "A"), Millis(0))), std::invalid_argument);
}

}  // namespace
}  // namespace waybill::testing
