// Kills a writing process at every boundary of its transaction, and at random instants.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <random>
#include <string>

#include "shop_database.hpp"
#include "waybill/outbox/resolve_unknown.hpp"
#include "waybill/outbox/transaction_template.hpp"

namespace waybill::testing {
namespace {

using Tx = Transaction<sqlite3*>;

enum class Boundary {
  before_begin,
  after_begin,
  after_order,
  after_message,
  before_commit,
  in_commit,
  after_commit
};
constexpr int kBoundaries = 7;
constexpr int kRounds = 5;

// Runs `code` in a child process; answers how it ended.
int in_child(const std::function<int()>& code, const std::function<void(pid_t)>& meanwhile = {}) {
  const pid_t child = fork();
  if (child == 0) {
    int exit_code = 99;
    try {
      exit_code = code();
    } catch (...) {
    }
    _exit(exit_code);
  }
  if (meanwhile) meanwhile(child);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

void die() {
  kill(getpid(), SIGKILL);
}

int place_and_die(const std::string& path, const std::string& id, Boundary boundary) {
  const auto reached = [boundary](Boundary here) {
    if (here == boundary) die();
  };
  const Sqlite owner = open_sqlite(path);
  sqlite3* db = owner.get();
  const Outbox outbox;
  TransactionTemplate<sqlite3*> transactions(db, outbox);
  if (boundary == Boundary::in_commit) {
    sqlite3_commit_hook(
        db, [](void*) { return die(), 0; }, nullptr);
  }
  reached(Boundary::before_begin);
  const auto outcome = transactions.execute([&](Tx& tx) {
    reached(Boundary::after_begin);
    insert_order(tx.connection(), id);
    reached(Boundary::after_order);
    tx.add(order_placed(id));
    reached(Boundary::after_message);
    tx.add(order_placed(id + "-receipt"));
    reached(Boundary::before_commit);
  });
  reached(Boundary::after_commit);
  return outcome.committed() ? 0 : 1;
}

// Orders and messages that stand alone; 0 is the promise.
std::int64_t halves(const ShopDatabase& shop) {
  return number(shop.open().get(),
                "SELECT (SELECT count(*) FROM orders WHERE id NOT IN"
                "         (SELECT identifier FROM local_message))"
                "     + (SELECT count(*) FROM local_message WHERE"
                "         replace(identifier, '-receipt', '') NOT IN (SELECT id FROM orders))");
}

TEST(OutboxCrash, T1_B3_a_kill_at_any_boundary_leaves_both_or_none) {
  const ShopDatabase shop;
  std::int64_t committed = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int boundary = 0; boundary < kBoundaries; ++boundary) {
      const std::string id = std::to_string(round) + "." + std::to_string(boundary);
      const int status =
          in_child([&] { return place_and_die(shop.path(), id, static_cast<Boundary>(boundary)); });
      ASSERT_TRUE(WIFSIGNALED(status)) << boundary;
      if (static_cast<Boundary>(boundary) == Boundary::after_commit) ++committed;
      ASSERT_EQ(halves(shop), 0) << boundary;
      ASSERT_EQ(shop.orders(), committed) << boundary;
      ASSERT_EQ(shop.messages(), 2 * committed) << boundary;
    }
  }
  EXPECT_EQ(committed, kRounds);
}

TEST(OutboxCrash, T1_kills_at_random_instants_leave_both_or_none) {
  const char* given = getenv("WAYBILL_TEST_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("WAYBILL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const ShopDatabase shop;
  for (int round = 0; round < 20; ++round) {
    int started[2];
    ASSERT_EQ(pipe(started), 0);
    const auto write_forever = [&] {
      const Sqlite owner = shop.open();
      sqlite3* db = owner.get();
      const Outbox outbox;
      TransactionTemplate<sqlite3*> transactions(db, outbox);
      for (int i = 0;; ++i) {
        const std::string id = std::to_string(round) + "." + std::to_string(i);
        static_cast<void>(transactions.execute([&](Tx& tx) {
          insert_order(tx.connection(), id);
          tx.add(order_placed(id));
        }));
        if (write(started[1], "x", 1) != 1) return 1;
      }
    };
    const auto wait_and_kill = [&](pid_t child) {
      const int after = std::uniform_int_distribution<int>(1, 20)(random);
      char byte = 0;
      for (int i = 0; i < after; ++i) ASSERT_EQ(read(started[0], &byte, 1), 1);
      const auto busy_until =
          std::chrono::steady_clock::now() +
          std::chrono::microseconds(std::uniform_int_distribution<int>(0, 2000)(random));
      while (std::chrono::steady_clock::now() < busy_until) {
      }
      kill(child, SIGKILL);
    };
    const int status = in_child(write_forever, wait_and_kill);
    close(started[0]);
    close(started[1]);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_EQ(halves(shop), 0);
    ASSERT_EQ(shop.orders(), shop.messages());
  }
  EXPECT_GE(shop.orders(), 20);
}

// A file size limit makes the write of the commit record fail with an I/O error.
TEST(OutboxCrash, T6_an_IO_error_at_COMMIT_is_unknown_and_the_resolver_settles_it) {
  const ShopDatabase shop;
  const auto place_on_a_full_device = [&]() -> int {
    signal(SIGXFSZ, SIG_IGN);
    const Sqlite owner = shop.open();
    sqlite3* db = owner.get();
    const Outbox outbox;
    TransactionTemplate<sqlite3*> transactions(db, outbox);
    bool ran = false;
    const auto outcome = transactions.execute([&](Tx& tx) {
      tx.after_commit([&] { ran = true; });
      insert_order(tx.connection(), "A");
      tx.add(order_placed("A", std::string(100'000, 'x')));
      const rlimit limit{50'000, RLIM_INFINITY};
      if (setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error("setrlimit");
      return 1;
    });
    const rlimit lifted{RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &lifted) != 0) return 2;
    if (!outcome.unknown() || outcome.value || ran || outcome.added.size() != 1) return 3;
    const Sqlite fresh_owner = shop.open();
    sqlite3* fresh = fresh_owner.get();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const CommitAnswer answer = resolve_unknown(fresh, outbox, outcome.added.front(), deadline);
    if (answer != CommitAnswer::rolled_back) return 4;
    const auto again = transactions.execute([&](Tx& tx) {
      insert_order(tx.connection(), "A");
      tx.add(order_placed("A"));
    });
    return again.committed() ? 0 : 5;
  };
  const int status = in_child(place_on_a_full_device);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(shop.orders(), 1);
  EXPECT_EQ(shop.messages(), 1);
}

}  // namespace
}  // namespace waybill::testing
