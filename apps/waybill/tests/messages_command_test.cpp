#include <boost/json/object.hpp>

#include "program.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class Messages : public ProgramTest {
 protected:
  std::size_t found(std::vector<std::string> filter) const {
    filter.insert(filter.begin(), {"messages", "list", "--json"});
    const Answer run = waybill(filter);
    EXPECT_EQ(run.err, "");
    return run.json().at("messages").as_array().size();
  }
  value shown(const std::string& name) const {
    const Answer run = waybill({"messages", "show", name, "--json"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run.json().at("message");
  }
};

TEST_F(Messages, J2_are_found_by_every_filter) {
  set_up_shop();
  insert_orders(1, 5);
  EXPECT_EQ(found({}), 5U);
  EXPECT_EQ(found({"--id", "3"}), 1U);
  EXPECT_EQ(found({"--identifier", "A-4"}), 1U);
  EXPECT_EQ(found({"--identifier", "a-4"}), 0U);
  EXPECT_EQ(found({"--type", "order.placed"}), 5U);
  EXPECT_EQ(found({"--type", "order"}), 0U);
  EXPECT_EQ(found({"--biz-type", "order"}), 5U);
  EXPECT_EQ(found({"--state", "INIT"}), 5U);
  EXPECT_EQ(found({"--state", "DEAD"}), 0U);
  EXPECT_EQ(found({"--destination", "orders", "--identifier", "A-4"}), 1U);
  EXPECT_EQ(found({"--destination", "mails"}), 0U);
  EXPECT_EQ(waybill({"messages", "list"}).exit_code, 0);
  EXPECT_EQ(waybill({"messages", "list", "--state", "DEAD"}).exit_code, 1);
}

TEST_F(Messages, J2_are_found_by_the_time_that_the_database_wrote) {
  set_up_shop();
  insert_orders(1, 2);
  sql("orders.db", "UPDATE local_message SET gmt_create = '2026-01-02 03:04:05.678' WHERE id = 1;");
  EXPECT_EQ(found({"--since", "1h"}), 1U);
  EXPECT_EQ(found({"--until", "1h"}), 1U);
  EXPECT_EQ(found({"--until", "1ms"}), 2U);
  EXPECT_EQ(found({"--since", "2026-01-02T03:04:05.678Z"}), 2U);
  EXPECT_EQ(found({"--since", "2026-01-02T04:04:05.679+01:00"}), 1U);
  EXPECT_EQ(found({"--until", "2026-01-02T03:04:05.678Z"}), 0U);
  EXPECT_EQ(found({"--since", "2026-01-02T00:00:00Z", "--until", "2026-01-03T00:00:00Z"}), 1U);
}

TEST_F(Messages, J2_are_paged_through_by_the_id_behind_the_last_page) {
  set_up_shop();
  insert_orders(1, 5);
  std::vector<std::int64_t> ids;
  std::string after = "0";
  for (int pages = 0; pages < 5; ++pages) {
    const value page =
        waybill({"messages", "list", "--limit", "2", "--after", after, "--json"}).json();
    for (const value& message : page.at("messages").as_array()) {
      ids.push_back(message.at("id").as_int64());
    }
    if (page.at("next_after").is_null()) break;
    after = std::to_string(page.at("next_after").as_int64());
  }
  EXPECT_EQ(ids, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  EXPECT_NE(waybill({"messages", "list", "--limit", "2"}).out.find("next page: --after 2"),
            std::string::npos);
}

TEST_F(Messages, C7_in_a_state_outside_the_closed_set_are_found_and_shown_as_stored) {
  set_up_shop();
  insert_orders(1, 2);
  sql("orders.db", "UPDATE local_message SET state = 'LIMBO' WHERE id = 1;");
  EXPECT_EQ(found({"--state", "LIMBO"}), 1U);
  EXPECT_EQ(found({"--state", "INIT"}), 1U);
  EXPECT_EQ(shown("1").at("state").as_string(), "LIMBO");
  EXPECT_NE(waybill({"messages", "show", "1"}).out.find("outside the closed set"),
            std::string::npos);
  const Answer slip = waybill({"messages", "list", "--state", "SEND"});
  EXPECT_EQ(slip.exit_code, 1);
  EXPECT_NE(slip.err.find("did you mean 'SENT'?"), std::string::npos) << slip.err;
}

TEST_F(Messages, J2_are_shown_by_row_id_or_message_id) {
  set_up_shop("points");
  insert_orders(1, 2);
  const value message = shown("2");
  EXPECT_EQ(message.at("identifier").as_string(), "A-2");
  EXPECT_EQ(message.at("content").as_string(), "{\"order\":2}");
  EXPECT_EQ(message.at("destination").as_string(), "orders");
  EXPECT_EQ(message.at("waits_for").at(0).as_string(), "points");
  EXPECT_EQ(shown("order/order.placed/A-2"), message);
  EXPECT_EQ(waybill({"messages", "show", "99"}).exit_code, 1);
  EXPECT_EQ(waybill({"messages", "show", "order/order.placed/A-99"}).exit_code, 1);
  EXPECT_EQ(waybill({"messages", "show", "A-2"}).exit_code, 2);
}

TEST_F(Messages, J2_are_shown_with_their_whole_history) {
  set_up_shop("points,mail");
  insert_orders(1, 1);
  ASSERT_EQ(waybill({"relay", "--once"}).exit_code, 0);
  sql("orders.db",
      "INSERT INTO local_message_receipt(id, consumer, verdict, epoch, reason) "
      "VALUES(1, 'mail', 'done', 0, NULL);");
  value message = shown("1");
  EXPECT_EQ(message.at("sends").to_number<int>(), 1);
  EXPECT_TRUE(message.as_object().contains("first_accepted_at"));
  EXPECT_EQ(message.at("receipts").at(0).at("consumer").as_string(), "mail");
  ASSERT_EQ(message.at("waits_for").as_array().size(), 1U);
  EXPECT_EQ(message.at("waits_for").at(0).as_string(), "points");
  ASSERT_EQ(waybill({"messages", "resend", "1", "--reason", "lost", "--operator", "ann"}).exit_code,
            0);
  message = shown("1");
  EXPECT_TRUE(message.as_object().contains("next_attempt_at"));
  EXPECT_EQ(message.at("audit").at(0).at("operator").as_string(), "ann");
  EXPECT_EQ(message.at("audit").at(0).at("action").as_string(), "resend");
  EXPECT_EQ(message.at("audit").at(0).at("state_before").as_string(), "SENT");
  EXPECT_EQ(message.at("audit").at(0).at("reason").as_string(), "lost");
  const std::string text = waybill({"messages", "show", "1"}).out;
  for (const char* part : {"receipts\n", "mail", "what operators did\n", "ann", "next attempt"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << text;
  }
}

TEST_F(Messages, with_hostile_bytes_are_printed_harmless) {
  set_up_shop();
  sql("orders.db",
      "INSERT INTO local_message(message_type, biz_type, identifier, content, state) VALUES"
      "('order.placed', 'order', 'a' || char(27) || '[2J', x'00ff', 'W' || char(10) || 'X');");
  const Answer list = waybill({"messages", "list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_EQ(list.out.find('\x1b'), std::string::npos);
  EXPECT_NE(list.out.find("W\\x0aX"), std::string::npos) << list.out;
  EXPECT_EQ(shown("1").at("state").as_string(), "W\nX");
}

}  // namespace
}  // namespace waybill::cli
