#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class ParkedMessages : public ProgramTest {
 protected:
  // A shop whose topic exists, and a consumer's database with one refused message.
  void set_up_consumer() const {
    set_up_shop("points");
    insert_orders(1, 1);
    ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
    ASSERT_EQ(waybill({"schema", "apply", "--part", "consumer", "--store", points_url()}).exit_code,
              0);
    sql("points.db",
        "INSERT INTO waybill_inbox(consumer, message_id, epoch, verdict, reason) "
        "VALUES('points', 'order/order.placed/A-1', 0, 'failed', 'no such user');"
        "INSERT INTO waybill_parked(consumer, message_id, message_type, body, reason, epoch, "
        "attempts, partition_key, traceparent) VALUES('points', 'order/order.placed/A-1', "
        "'order.placed', x'7b7d', 'no such user', 0, 3, 'user-1', '00-1-2-01');");
  }
  std::string points_url() const { return "sqlite://" + path("points.db"); }
  Answer replay(const std::string& id, const std::string& topic = "orders") const {
    return waybill({"inbox", "replay", id, "--consumer", "points", "--topic", topic, "--reason",
                    "user created", "--operator", "ann", "--store", points_url(), "--json"});
  }
  Answer parked(std::vector<std::string> flags = {}) const {
    flags.insert(flags.begin(), {"inbox", "parked", "--store", points_url(), "--json"});
    return waybill(flags);
  }
};

TEST_F(ParkedMessages, are_listed_with_their_reason_until_they_were_handled) {
  set_up_consumer();
  const Answer list = parked();
  EXPECT_EQ(list.exit_code, 0) << list.err;
  const value message = list.json().at("parked").at(0);
  EXPECT_EQ(message.at("message_id").as_string(), "order/order.placed/A-1");
  EXPECT_EQ(message.at("reason").as_string(), "no such user");
  EXPECT_EQ(message.at("attempts").to_number<int>(), 3);
  EXPECT_EQ(message.at("content").as_string(), "{}");
  EXPECT_NE(waybill({"inbox", "parked", "--store", points_url()}).out.find("no such user"),
            std::string::npos);
  EXPECT_EQ(parked({"--consumer", "mail"}).exit_code, 1);
  sql("points.db", "UPDATE waybill_inbox SET verdict = 'done';");
  EXPECT_EQ(parked().exit_code, 1);
}

TEST_F(ParkedMessages, J2_are_published_again_under_a_newer_epoch_with_audit) {
  set_up_consumer();
  const Answer run = replay("order/order.placed/A-1");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.json().at("epoch").to_number<int>(), 1);
  const Answer queue = waybill({"queue", "peek", "--topic", "orders", "--json"});
  const value copy = queue.json().at("messages").at(1);
  EXPECT_EQ(copy.at("message_id").as_string(), "order/order.placed/A-1");
  EXPECT_EQ(copy.at("epoch").to_number<int>(), 1);
  EXPECT_EQ(copy.at("content").as_string(), "{}");
  EXPECT_EQ(sql("queue.db", "SELECT key, traceparent FROM log ORDER BY rowid DESC LIMIT 1;"),
            "user-1|00-1-2-01\n");
  EXPECT_EQ(sql("points.db",
                "SELECT operator, action, message_table, message_row, reason FROM "
                "waybill_audit;"),
            "ann|replay|waybill_inbox|1|user created\n");
}

TEST_F(ParkedMessages, that_are_not_there_or_have_no_topic_are_left_alone) {
  set_up_consumer();
  EXPECT_EQ(replay("order/order.placed/A-9").exit_code, 1);
  const Answer slip = replay("order/order.placed/A-1", "order");
  EXPECT_EQ(slip.exit_code, 2);
  EXPECT_NE(slip.err.find("order"), std::string::npos) << slip.err;
  EXPECT_EQ(waybill({"queue", "topics", "--json"}).json().at("topics").as_array().size(), 1U);
}

TEST_F(ParkedMessages, need_a_consumers_database) {
  set_up_shop();
  const Answer producer = waybill({"inbox", "parked"});
  EXPECT_EQ(producer.exit_code, 2);
  EXPECT_NE(producer.err.find("--part consumer"), std::string::npos) << producer.err;
  const Answer missing = waybill({"inbox", "parked", "--store", points_url()});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("schema apply --part consumer"), std::string::npos) << missing.err;
}

}  // namespace
}  // namespace waybill::cli
