// Confirmations in full over real processes: several consumers, silent and slow ones, a broker that
// loses what it acknowledged, an inbox that forgets.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "shop.hpp"
#include "waybill/confirm/batch.hpp"
#include "waybill/confirm/request.hpp"
#include "waybill/confirm/signature.hpp"

namespace waybill::e2e {
namespace {

const std::string kSecret = "a-secret-of-the-tests";

Confirmation done(const std::string& order_id, const std::string& consumer = "points") {
  Confirmation item;
  item.message_id = "order/order.placed/" + order_id;
  item.consumer = consumer;
  item.sent_at =
      std::chrono::time_point_cast<DatabaseTime::duration>(std::chrono::system_clock::now());
  return item;
}

// Signed by the consumer's key, as its service would; answers the first result.
std::string confirm(Shop& shop, const std::string& key_id, const Confirmation& item) {
  confirm::Request signed_one;
  signed_one.body = confirm::encode_batch({item});
  confirm::sign(
      signed_one, {key_id, item.consumer, kSecret}, "w-" + item.message_id,
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now()));
  http::Request request;
  request.method = signed_one.method;
  request.target = signed_one.target;
  request.headers = {signed_one.headers.begin(), signed_one.headers.end()};
  request.body = signed_one.body;
  const http::Response response = shop.post(request);
  if (response.status != 200) return std::to_string(response.status);
  const auto results = confirm::parse_results(response.body, 1);
  return results ? std::string(to_string(results->front())) : results.error().text;
}

void place_all(Shop& shop, int orders) {
  for (int i = 0; i < orders; ++i) ASSERT_EQ(shop.place("A-" + std::to_string(i)), 201);
}

TEST(Confirmations, H7_three_consumers_confirm_at_the_same_instant_and_every_row_is_done) {
  constexpr int kOrders = 60;
  Shop shop;
  std::ofstream(shop.file("points.key"))
      << "k1 points " << kSecret << "\nk2 mail " << kSecret << "\nk3 audit " << kSecret << '\n';
  shop.start_order_service("relay", {"--relay"});
  ASSERT_EQ(shop.waybill("routes set order.placed --consumers points,mail,audit").exit_code, 0);
  place_all(shop, kOrders);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), std::to_string(kOrders)));
  {
    std::vector<std::jthread> consumers;
    for (const auto& [key, consumer] :
         {std::pair{"k1", "points"}, std::pair{"k2", "mail"}, std::pair{"k3", "audit"}}) {
      consumers.emplace_back([&shop, key = std::string(key), consumer = std::string(consumer)] {
        for (int i = 1; i < kOrders; ++i) {
          EXPECT_EQ(confirm(shop, key, done("A-" + std::to_string(i), consumer)), "done");
        }
      });
    }
  }
  EXPECT_EQ(shop.sql("orders", count("state = 'SUCCESS'"))[0], std::to_string(kOrders - 1));
  // One of them is silent.
  EXPECT_EQ(confirm(shop, "k1", done("A-0", "points")), "done");
  EXPECT_EQ(confirm(shop, "k2", done("A-0", "mail")), "done");
  EXPECT_EQ(shop.sql("orders", count("state = 'SENT'"))[0], "1");
}

TEST(Confirmations, H7_removing_a_consumer_completes_what_waited_for_it_only) {
  constexpr int kOrders = 60;
  Shop shop;
  std::ofstream(shop.file("points.key"))
      << "k1 points " << kSecret << "\nk2 mail " << kSecret << '\n';
  shop.start_order_service("relay", {"--relay"});
  ASSERT_EQ(shop.waybill("routes set order.placed --consumers points,mail").exit_code, 0);
  place_all(shop, kOrders);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), std::to_string(kOrders)));
  for (int i = 0; i < kOrders; i += 2) {
    ASSERT_EQ(confirm(shop, "k1", done("A-" + std::to_string(i), "points")), "done");
  }
  EXPECT_EQ(shop.sql("orders", count("state = 'SUCCESS'"))[0], "0");
  // The deadline is 30 s: none of this is the work of another copy.
  ASSERT_EQ(shop.waybill("routes set order.placed --consumers points").exit_code, 0);
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), std::to_string(kOrders / 2)));
  EXPECT_EQ(shop.sql("orders", count("state = 'SENT'"))[0], std::to_string(kOrders / 2));
  ASSERT_EQ(shop.waybill("routes set order.placed --consumers ''").exit_code, 0);
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), std::to_string(kOrders)));
  EXPECT_EQ(shop.sql("queue", kCopies)[0], std::to_string(kOrders));
}

TEST(Confirmations, H1_H2_H3_a_repeat_gets_its_answer_and_strangers_find_nothing) {
  Shop shop;
  shop.start_order_service("relay", {"--relay"});
  place_all(shop, 1);
  {
    std::vector<std::jthread> repeats;
    for (int thread = 0; thread < 10; ++thread) {
      repeats.emplace_back([&shop] {
        for (int i = 0; i < 10; ++i) EXPECT_EQ(confirm(shop, "k1", done("A-0")), "done");
      });
    }
  }
  EXPECT_TRUE(shop.wait_for("orders", count("state = 'SUCCESS'"), "1"));
  EXPECT_EQ(confirm(shop, "k1", done("B-0")), "not_found");
  EXPECT_EQ(confirm(shop, "k1", done("A-0", "mail")), "not_found") << "a key is of one consumer";
  EXPECT_EQ(confirm(shop, "k9", done("A-0")), "401");
  EXPECT_EQ(shop.sql("orders", count("1 = 1"))[0], "1");
}

TEST(Confirmations, H6_H11_refused_is_dead_and_after_a_replay_the_old_verdict_counts_no_more) {
  Shop shop;
  shop.start_order_service("relay", {"--relay"});
  shop.start_points_service({"--freeze", "u1"});
  place_all(shop, 1);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'DEAD'"), "1"));
  EXPECT_NE(shop.sql("orders", "SELECT reason FROM local_message_delivery")[0].find("frozen"),
            std::string::npos);
  shop.stop("points_service");
  shop.start_points_service();
  ASSERT_EQ(shop.waybill("messages replay order/order.placed/A-0 --reason thawed --operator ann")
                .exit_code,
            0);
  expect_right(shop, 1);
  Confirmation old = done("A-0");
  old.verdict = Verdict::failed;
  old.reason = "the account is frozen";
  EXPECT_EQ(confirm(shop, "k1", old), "already");
  EXPECT_EQ(shop.sql("orders", count("state = 'SUCCESS'"))[0], "1");
}

TEST(Confirmations, H11_done_after_cancelled_is_success) {
  Shop shop;
  shop.start_order_service("relay");
  place_all(shop, 1);
  ASSERT_EQ(
      shop.waybill("messages cancel order/order.placed/A-0 --reason test --operator ann").exit_code,
      0);
  EXPECT_EQ(confirm(shop, "k1", done("A-0")), "done");
  EXPECT_EQ(shop.sql("orders", count("state = 'SUCCESS'"))[0], "1");
}

TEST(Confirmations, H10_I5_what_the_inbox_may_have_forgotten_is_dead_and_not_sent_again) {
  Shop shop;
  shop.start_order_service("relay", {"--relay"});
  ASSERT_EQ(shop.waybill("routes set order.placed --confirm-deadline 500ms").exit_code, 0);
  place_all(shop, 2);
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'INIT'"), "0"));
  Confirmation item = done("A-0");
  item.retention = std::chrono::seconds(1);
  ASSERT_EQ(confirm(shop, "k1", item), "done");
  ASSERT_TRUE(shop.wait_for("orders", count("state = 'DEAD' AND identifier = 'A-1'"), "1"));
  const auto copies = shop.sql("queue", kCopies);
  ASSERT_EQ(shop.place("A-2"), 201) << "what was never accepted has no age limit";
  ASSERT_TRUE(
      shop.wait_for("queue", "SELECT COUNT(*) > 0 FROM log WHERE message_id LIKE '%A-2'", "1"));
  EXPECT_EQ(shop.sql("queue", "SELECT COUNT(*) FROM log WHERE message_id NOT LIKE '%A-2'"), copies);
}

// 500 rows for a consumer that is away; what it takes on a loaded machine to handle them is less
// than their deadline.
class SilentConsumer : public ::testing::Test {
 protected:
  static constexpr int kRows = 500;

  void SetUp() override {
    shop.start_order_service("relay");
    ASSERT_EQ(shop.waybill("routes set order.placed --confirm-deadline 2s").exit_code, 0);
    std::string orders;
    std::string messages;
    for (int i = 0; i < kRows; ++i) {
      const std::string id = "S-" + std::to_string(i);
      const char* comma = i == 0 ? "" : ", ";
      orders += comma + ("('" + id) + "', 'u1', 4250, 42, 0)";
      messages += comma + ("('order.placed', 'order', '" + id) + R"(', '{"order_id":")" + id +
                  R"(","user_id":"u1","points":42}'))";
    }
    shop.sql("orders",
             "BEGIN; INSERT INTO orders (order_id, user_id, amount_cents, points, created_at)"
             " VALUES " +
                 orders +
                 "; INSERT INTO local_message (message_type, biz_type, identifier, content)"
                 " VALUES " +
                 messages + "; COMMIT");
    shop.start_relay();
    ASSERT_TRUE(shop.wait_for("orders", count("state = 'SENT'"), std::to_string(kRows), 60));
  }

  [[nodiscard]] long copies() { return std::stol(shop.sql("queue", kCopies)[0]); }

  Shop shop;
};

TEST_F(SilentConsumer, H4_is_probed_not_flooded_also_when_it_wakes_up) {
  // A second probe comes after twice the wait of the first.
  ASSERT_TRUE(shop.wait_until([&] { return copies() >= kRows + 2; }));
  shop.start_points_service();
  expect_right(shop, kRows, 90);
  // Of four partitions, that with the probe may be read first: the rows of the others then count as
  // passed by, until they are read as well.
  const bool has_partitions = shop.broker().url().starts_with("kafka");
  EXPECT_LE(copies(), kRows + (has_partitions ? kRows / 2 : 100));
}

TEST_F(SilentConsumer, H5_gets_everything_again_though_the_broker_lost_it_all) {
  shop.sql("queue", "DELETE FROM log");
  shop.start_points_service();
  expect_right(shop, kRows, 120);
  EXPECT_GE(copies(), kRows);
}

}  // namespace
}  // namespace waybill::e2e
