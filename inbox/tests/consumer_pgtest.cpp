// The consumer on PostgreSQL: batches in one statement and one transaction, single messages with
// BEGIN and inbox row in one round trip.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "fake_subscriber.hpp"
#include "postgres_fixture.hpp"
#include "waybill/adopt/postgres.hpp"
#include "waybill/inbox/consumer.hpp"

namespace waybill::inbox::testing {
namespace {

Delivery delivery(const std::string& identifier, std::uint32_t epoch = 0) {
  Delivery delivery;
  delivery.message_id = "order/order.placed/" + identifier;
  delivery.message_type = "order.placed";
  delivery.epoch = epoch;
  delivery.sent_at = DatabaseTime(std::chrono::seconds(1'700'000'000 + epoch));
  return delivery;
}

class InboxOnPostgres : public ::testing::TestWithParam<bool> {
 protected:
  InboxOnPostgres() {
    shop_.execute("CREATE TABLE effect (message_id text NOT NULL)");
    client_.query("SET TimeZone = 'Asia/Tokyo'");
    inbox_ = shop_.open_inbox();
  }

  // One receive of all of them, and what comes of it.
  ConsumerStats consume(std::vector<Delivery> deliveries,
                        const std::set<std::string>& refused = {}) {
    for (std::size_t i = 0; i < deliveries.size(); ++i) deliveries[i].token = i;
    Acks acks(deliveries.size());
    FakeSubscriber subscriber(std::move(deliveries), acks);
    ConsumerOptions options;
    options.consumer = "points";
    options.later_wait = Millis(1);
    options.batch_in_one_transaction = GetParam();
    PGconn* connection = client_.handle();
    Consumer<PGconn*> consumer(
        connection, *inbox_, subscriber, options, [&](PGconn*& handle, const Delivery& arrived) {
          const Value values[] = {std::string_view(arrived.message_id)};
          (void)transaction_adapter<PGconn*>::insert(handle,
                                                     {"INSERT INTO effect VALUES ($1)", values});
          return refused.contains(arrived.message_id) ? HandlerResult::failed("refused")
                                                      : HandlerResult::done();
        });
    EXPECT_TRUE(consumer.run_once({}, Millis(0)).ok());
    EXPECT_EQ(PQtransactionStatus(connection), PQTRANS_IDLE);
    EXPECT_EQ(PQpipelineStatus(connection), PQ_PIPELINE_OFF);
    return consumer.stats();
  }

  std::string count(const std::string& from) {
    return shop_.query("SELECT count(*) FROM " + from).at(0);
  }

  postgres::PostgresFixture shop_;
  postgres::PlainClient client_{shop_.options().url};
  std::unique_ptr<InboxStore> inbox_;
};

TEST_P(InboxOnPostgres, I1_C3_each_message_of_a_batch_takes_effect_with_its_inbox_row) {
  const std::vector<std::string> names = {"1", "with \"quotes\"", "back\\slash", "{a,b}", "NULL"};
  std::vector<Delivery> deliveries;
  for (const std::string& name : names) deliveries.push_back(delivery(name, 3));
  EXPECT_EQ(consume(deliveries).done, names.size());
  EXPECT_EQ(count("effect JOIN waybill_inbox USING (message_id) WHERE consumer = 'points'"
                  " AND verdict = 'done' AND epoch = 3"
                  " AND sent_at = to_timestamp(1700000003)"),
            "5");
}

TEST_P(InboxOnPostgres, I2_duplicates_in_a_batch_and_of_earlier_ones_have_one_effect) {
  EXPECT_EQ(consume({delivery("1"), delivery("2")}).done, 2U);
  const ConsumerStats stats = consume({delivery("2"), delivery("3"), delivery("3"), delivery("4")});
  EXPECT_EQ(stats.done, 2U);
  EXPECT_EQ(stats.duplicates, 2U);
  EXPECT_EQ(count("effect"), "4");
  EXPECT_EQ(count("waybill_inbox"), "4");
}

TEST_P(InboxOnPostgres, I3_a_message_that_fails_takes_nothing_of_the_others_along) {
  const ConsumerStats stats =
      consume({delivery("1"), delivery("2"), delivery("3")}, {"order/order.placed/2"});
  EXPECT_EQ(stats.done, 2U);
  EXPECT_EQ(stats.parked, 1U);
  EXPECT_EQ(count("effect"), "2");
  EXPECT_EQ(count("effect WHERE message_id = 'order/order.placed/2'"), "0");
  EXPECT_EQ(count("waybill_inbox WHERE verdict = 'failed'"), "1");
}

TEST_P(InboxOnPostgres, a_replayed_message_takes_its_failed_row_over) {
  EXPECT_EQ(consume({delivery("1"), delivery("2")}, {"order/order.placed/2"}).parked, 1U);
  EXPECT_EQ(consume({delivery("2", 1), delivery("3")}).done, 2U);
  EXPECT_EQ(count("waybill_inbox WHERE verdict = 'done'"), "3");
  EXPECT_EQ(count("effect"), "3");
}

TEST_P(InboxOnPostgres, a_terminated_session_is_trouble_of_the_database_not_of_the_message) {
  shop_.execute("SELECT pg_terminate_backend(" + std::to_string(PQbackendPID(client_.handle())) +
                ")");
  ConsumerOptions options;
  options.consumer = "points";
  options.retry_wait = options.later_wait = Millis(1);
  options.retry_wait_max = Millis(2);
  options.batch_in_one_transaction = GetParam();
  Acks acks(2);
  std::vector<Delivery> deliveries = {delivery("1"), delivery("2")};
  deliveries[1].token = 1;
  FakeSubscriber subscriber(std::move(deliveries), acks);
  PGconn* connection = client_.handle();
  Consumer<PGconn*> consumer(connection, *inbox_, subscriber, options,
                             [](PGconn*&, const Delivery&) { return HandlerResult::done(); });
  EXPECT_TRUE(consumer.run_once({}, Millis(0)).ok());
  EXPECT_EQ(consumer.stats().given_back, 2U);
  PQreset(connection);
  EXPECT_EQ(consume({delivery("1"), delivery("2")}).done, 2U);
  EXPECT_EQ(count("waybill_parked"), "0");
}

INSTANTIATE_TEST_SUITE_P(Batching, InboxOnPostgres, ::testing::Bool(), [](const auto& tested) {
  return tested.param ? std::string("in_one_transaction") : std::string("one_by_one");
});

}  // namespace
}  // namespace waybill::inbox::testing
