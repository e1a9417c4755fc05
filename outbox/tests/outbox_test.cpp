#include "waybill/outbox/outbox.hpp"

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

#include "shop_database.hpp"
#include "waybill/message_id.hpp"

namespace waybill::testing {
namespace {

std::string message_id_of(const std::string& biz_type, const std::string& identifier) {
  Message message = order_placed(identifier);
  message.biz_type = biz_type;
  return MessageId{message.biz_type, message.message_type, message.identifier}.to_string();
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// One open transaction on a new shop.
class OutboxTest : public ::testing::Test {
 protected:
  explicit OutboxTest(Columns columns = Columns::nine) : shop(columns), owner(shop.open()) {
    db = owner.get();
  }
  Ticket add(const Message& message) { return outbox.add(db, message); }
  void begin() { run(db, "BEGIN IMMEDIATE"); }
  void commit() { run(db, "COMMIT"); }

  ShopDatabase shop;
  Sqlite owner;
  sqlite3* db = nullptr;
  Outbox outbox;
};

class EightColumnOutboxTest : public OutboxTest {
 protected:
  EightColumnOutboxTest() : OutboxTest(Columns::eight) { outbox = Outbox({.eight_columns = true}); }
};

TEST_F(OutboxTest, writes_one_INIT_row_with_both_times_by_the_database) {
  begin();
  const Ticket ticket = add(order_placed("A-17", R"({"points":42})"));
  commit();
  EXPECT_EQ(ticket.result, AddResult::added) << ticket.text;
  EXPECT_EQ(ticket.id, 1);
  EXPECT_EQ(text(db,
                 "SELECT message_type||'|'||biz_type||'|'||identifier||'|'||content||'|'||state"
                 " FROM local_message"),
            R"(order.placed|order|A-17|{"points":42}|INIT)");
  EXPECT_EQ(number(db,
                   "SELECT count(*) FROM local_message WHERE gmt_create = gmt_modified"
                   " AND abs(julianday('now') - julianday(gmt_create)) < 0.001"
                   " AND gmt_create LIKE '____-__-__ __:__:__.___' AND headers IS NULL"),
            1);
}

TEST_F(OutboxTest, C1_refuses_a_connection_in_autocommit) {
  const Ticket ticket = add(order_placed("A-17"));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_EQ(ticket.text,
            "the connection has no open transaction; nothing was written (BEGIN first, or use "
            "TransactionTemplate)");
  EXPECT_EQ(shop.messages(), 0);
}

TEST_F(OutboxTest, refuses_a_null_handle_instead_of_crashing) {
  sqlite3* none = nullptr;
  EXPECT_THROW(static_cast<void>(outbox.add(none, order_placed("A-17"))), std::invalid_argument);
  EXPECT_THROW(transaction_adapter<sqlite3*>::begin(none), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(transaction_adapter<sqlite3*>::commit(none)),
               std::invalid_argument);
  EXPECT_THROW(transaction_adapter<sqlite3*>::rollback(none), std::invalid_argument);
}

TEST_F(OutboxTest, C5_a_repeated_identifier_is_a_duplicate_and_leaves_the_transaction_usable) {
  begin();
  const Ticket first = add(order_placed("A-17", "first"));
  commit();
  begin();
  const Ticket again = add(order_placed("A-17", "second"));
  EXPECT_EQ(again.result, AddResult::duplicate);
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(add(order_placed("A-18")).result, AddResult::added);
  commit();
  EXPECT_EQ(shop.messages("identifier = 'A-17' AND content = 'first'"), 1);
  EXPECT_EQ(shop.messages(), 2);
}

TEST_F(OutboxTest, C6_keeps_content_byte_for_byte) {
  const std::string emoji =
      "\xF0\x9F\x8E\x81 \xE7\xA7\xAF\xE5\x88\x86 '; DROP TABLE orders; --\r\n";
  begin();
  EXPECT_EQ(add(order_placed("emoji", emoji)).result, AddResult::added);
  EXPECT_EQ(add(order_placed("empty", "")).result, AddResult::added);
  EXPECT_EQ(add(order_placed("64k", std::string(65'536, 'x'))).result, AddResult::added);
  commit();
  EXPECT_EQ(text(db, "SELECT content FROM local_message WHERE identifier = 'emoji'"), emoji);
  EXPECT_EQ(shop.messages("identifier = 'empty' AND content = '' AND typeof(content) = 'text'"), 1);
  EXPECT_EQ(shop.messages("length(content) = 65536"), 1);
}

TEST_F(OutboxTest, C6_refuses_NUL_and_invalid_UTF8_in_every_field) {
  begin();
  for (const std::string& bad : {std::string("a\0b", 3), std::string("\xC3\x28"),
                                 std::string("\xED\xA0\x80"), std::string("\xFF")}) {
    Message in_content = order_placed("A", bad);
    Message in_type = order_placed("A"), in_biz = order_placed("A"),
            in_identifier = order_placed(bad);
    in_type.message_type = bad;
    in_biz.biz_type = bad;
    Message in_key = order_placed("A"), in_trace = order_placed("A");
    in_key.key = bad;
    in_trace.traceparent = bad;
    for (const Message& message : {in_content, in_type, in_biz, in_identifier, in_key, in_trace}) {
      const Ticket ticket = add(message);
      EXPECT_EQ(ticket.result, AddResult::not_text);
      EXPECT_NE(ticket.text.find("is not UTF-8 text, or holds NUL ("), std::string::npos);
    }
  }
  commit();
  EXPECT_EQ(shop.messages(), 0);
}

TEST_F(OutboxTest, C6_stores_binary_content_as_base64_and_says_so_in_the_headers) {
  Message message = order_placed("protobuf");
  message.content = Content::binary(bytes_of(std::string_view("\0\x01\xFF\xFE", 4)));
  message.key = "user \"1\"";
  message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  begin();
  EXPECT_EQ(add(message).result, AddResult::added);
  commit();
  EXPECT_EQ(text(db, "SELECT content FROM local_message"), "AAH//g==");
  EXPECT_EQ(text(db, "SELECT json_extract(headers, '$.key') FROM local_message"), message.key);
  EXPECT_EQ(text(db, "SELECT json_extract(headers, '$.traceparent') FROM local_message"),
            message.traceparent);
  EXPECT_EQ(text(db, "SELECT json_extract(headers, '$.content_encoding') FROM local_message"),
            "base64");
}

TEST_F(OutboxTest, C6_refuses_content_over_the_limit_as_it_would_be_stored) {
  outbox = Outbox({.content_bytes_max = 8});
  begin();
  EXPECT_EQ(add(order_placed("at", "12345678")).result, AddResult::added);
  const Ticket over = add(order_placed("over", "123456789"));
  EXPECT_EQ(over.result, AddResult::too_large);
  EXPECT_EQ(over.text,
            "content has 9 bytes as stored (at most 8; store it elsewhere and send a reference)");
  Message binary = order_placed("binary");
  binary.content = Content::binary(bytes_of("1234567"));
  const Ticket encoded = add(binary);
  EXPECT_EQ(encoded.result, AddResult::too_large);
  EXPECT_EQ(encoded.text,
            "content has 12 bytes as stored (at most 8; store it elsewhere and send a reference)");
  binary.content = Content::binary(bytes_of("123456"));
  EXPECT_EQ(add(binary).result, AddResult::added);
  commit();
  EXPECT_EQ(shop.messages(), 2);
}

TEST_F(OutboxTest, counts_the_length_of_columns_in_characters) {
  const std::string sign = "\xE5\xA5\xBD";  // three bytes, one character
  const auto many = [&](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += sign;
    return text;
  };
  begin();
  Message message = order_placed("A-17");
  message.biz_type = many(64);
  EXPECT_EQ(add(message).result, AddResult::added);
  message.biz_type = many(65);
  EXPECT_EQ(add(message).text, "biz_type has 65 characters (at most 64)");
  message = order_placed(std::string(129, 'x'));
  EXPECT_EQ(add(message).text, "identifier has 129 characters (at most 128)");
  message = order_placed("A-17");
  message.message_type = std::string(129, 'x');
  EXPECT_EQ(add(message).text, "message_type has 129 characters (at most 128)");
  EXPECT_EQ(add(message).result, AddResult::invalid);
  message = order_placed("");
  EXPECT_EQ(add(message).text, "identifier is empty (give it a value)");
  message = order_placed("A-17");
  message.key = std::string(257, 'k');
  EXPECT_EQ(add(message).text, "key has 257 bytes (at most 256)");
  commit();
  EXPECT_EQ(shop.messages(), 1);
}

TEST_F(OutboxTest, C8_ids_that_look_alike_are_different_messages) {
  EXPECT_NE(message_id_of("a/b", "c"), message_id_of("a", "b/c"));
  begin();
  for (const char* identifier : {"ORDER-1", "ORDER-1 ", "order-1", "ORDER-1\t"}) {
    EXPECT_EQ(add(order_placed(identifier)).result, AddResult::added) << identifier;
  }
  Message slashed = order_placed("c"), other = order_placed("b/c");
  slashed.biz_type = "a/b";
  other.biz_type = "a";
  EXPECT_EQ(add(slashed).result, AddResult::added);
  EXPECT_EQ(add(other).result, AddResult::added);
  commit();
  EXPECT_EQ(shop.messages(), 6);
}

TEST_F(OutboxTest, C8_refuses_an_id_over_768_bytes_on_the_wire) {
  const auto slashes = [](std::size_t count) { return std::string(count, '/'); };
  // order/order.placed/ and 749 bytes: 128 slashes are 384, 121 + 3 ... and so on.
  Message message = order_placed(slashes(128));
  message.message_type = slashes(127);
  begin();
  const Ticket longest = add(message);  // 5 + 1 + 381 + 1 + 384 = 772
  EXPECT_EQ(longest.result, AddResult::too_large);
  EXPECT_EQ(longest.text,
            "the message id has 772 bytes (at most 768: a non-ASCII byte, '/' and '%' count as "
            "three)");
  message.message_type = slashes(125) + "xx";  // 377: 768 in all
  EXPECT_EQ(add(message).result, AddResult::added);
  message.message_type = slashes(125) + "xxx";
  EXPECT_EQ(add(message).result, AddResult::too_large);
  commit();
  EXPECT_EQ(shop.messages(), 1);
}

TEST_F(EightColumnOutboxTest, C2_writes_into_a_table_with_exactly_the_eight_columns) {
  begin();
  EXPECT_EQ(add(order_placed("A-17")).result, AddResult::added);
  Message keyed = order_placed("B"), traced = order_placed("C"), binary = order_placed("D");
  keyed.key = "k";
  traced.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  binary.content = Content::binary(bytes_of("x"));
  for (const Message& message : {keyed, traced, binary}) {
    const Ticket ticket = add(message);
    EXPECT_EQ(ticket.result, AddResult::invalid);
    EXPECT_EQ(ticket.text,
              "the message has a key, a traceparent or binary content, and the table has no "
              "headers column (add the column, or leave them out)");
  }
  commit();
  EXPECT_EQ(shop.messages(), 1);
}

TEST_F(OutboxTest, T9_says_so_when_the_full_database_ended_the_transaction_in_the_insert) {
  begin();
  insert_order(db, "A-17");
  run(db, "PRAGMA max_page_count = " + text(db, "PRAGMA page_count"));
  const Ticket ticket = add(order_placed("A-17", std::string(100'000, 'x')));
  EXPECT_EQ(ticket.result, AddResult::not_in_transaction);
  EXPECT_NE(ticket.text.find("the database ended the transaction during the INSERT"),
            std::string::npos)
      << ticket.text;
  EXPECT_NE(ticket.text.find("full"), std::string::npos) << ticket.text;
  // The next message would commit alone.
  EXPECT_EQ(add(order_placed("small")).result, AddResult::not_in_transaction);
  EXPECT_EQ(shop.messages(), 0);
  EXPECT_EQ(shop.orders(), 0);
}

TEST_F(OutboxTest, T9_refuses_the_message_after_a_business_statement_ended_the_transaction) {
  run(db,
      "CREATE TRIGGER strict BEFORE INSERT ON orders WHEN NEW.id = 'bad'"
      " BEGIN SELECT RAISE(ROLLBACK, 'refused'); END");
  begin();
  EXPECT_THROW(insert_order(db, "bad"), SqliteError);
  EXPECT_EQ(add(order_placed("bad")).result, AddResult::not_in_transaction);
  EXPECT_EQ(shop.messages(), 0);
}

TEST_F(OutboxTest, T2_the_driver_s_own_error_passes_through) {
  run(db, "DROP TABLE local_message");
  begin();
  try {
    static_cast<void>(add(order_placed("A-17")));
    FAIL() << "nothing thrown";
  } catch (const SqliteError& error) {
    EXPECT_TRUE(std::string_view(error.what())
                    .ends_with("no such table: local_message (run: waybill schema apply)"))
        << error.what();
  }
  EXPECT_EQ(transaction_adapter<sqlite3*>::status(db), TransactionStatus::open);
}

TEST_F(OutboxTest, says_what_else_kept_a_message_out) {
  run(db, "CREATE UNIQUE INDEX too_strict ON local_message(identifier)");
  begin();
  EXPECT_EQ(add(order_placed("A-17")).result, AddResult::added);
  Message other = order_placed("A-17");
  other.biz_type = "refund";
  EXPECT_EQ(add(other).result, AddResult::invalid);
  commit();
}

TEST(OutboxOptions, refuses_a_table_name_that_is_no_identifier) {
  for (const std::string& bad :
       {std::string(), std::string("1a"), std::string("a b"), std::string("a;--"),
        std::string("a\"b"), std::string("A"), std::string("a.b"), std::string(49, 'a')}) {
    EXPECT_THROW(Outbox({.table = bad}), std::invalid_argument) << bad;
  }
  EXPECT_NO_THROW(Outbox({.table = std::string(48, 'a')}));
  EXPECT_THROW(Outbox({.content_bytes_max = 0}), std::invalid_argument);
}

TEST(Rendered, holds_one_insert_and_its_values_for_every_dialect) {
  const Outbox outbox({.table = "notes"});
  Message message = order_placed("A-17", "{}");
  for (const Dialect dialect : {Dialect::sqlite, Dialect::postgres, Dialect::mariadb}) {
    const Rendered rendered = outbox.render(dialect, message);
    EXPECT_EQ(rendered.result, AddResult::added);
    EXPECT_NE(rendered.sql.find("INSERT INTO notes(gmt_create, gmt_modified, "), std::string::npos);
    EXPECT_EQ(rendered.sql.find(';'), std::string::npos);
    const auto values = rendered.values();
    ASSERT_EQ(values.size(), 5U);
    EXPECT_EQ(std::get<std::string_view>(values[0]), "order.placed");
    EXPECT_EQ(std::get<std::string_view>(values[1]), "order");
    EXPECT_EQ(std::get<std::string_view>(values[2]), "A-17");
    EXPECT_EQ(std::get<std::string_view>(values[3]), "{}");
    EXPECT_TRUE(std::holds_alternative<std::monostate>(values[4]));
  }
  EXPECT_NE(outbox.render(Dialect::postgres, message)
                .sql.find("WHERE pg_current_xact_id_if_assigned() IS NOT NULL"),
            std::string::npos);
  EXPECT_NE(outbox.render(Dialect::mariadb, message).sql.find("@@in_transaction AND @@autocommit"),
            std::string::npos);
  message.identifier.clear();
  EXPECT_TRUE(outbox.render(Dialect::sqlite, message).sql.empty());
}

TEST(Rendered, holds_several_messages_or_says_which_one_is_refused) {
  const Outbox outbox;
  std::vector<Message> messages = orders_placed({"A", "B"});
  for (const Dialect dialect : {Dialect::sqlite, Dialect::postgres, Dialect::mariadb}) {
    const Rendered rendered = outbox.render(dialect, messages);
    EXPECT_EQ(rendered.parameters.size(), 10U);
    EXPECT_EQ(rendered.parameters.at(7), "B");
    EXPECT_NE(rendered.sql.find("RETURNING id, message_type, biz_type, identifier"),
              std::string::npos);
  }
  messages[1].identifier.clear();
  EXPECT_EQ(outbox.render(Dialect::sqlite, messages).text, "identifier is empty (give it a value)");
  EXPECT_THROW(static_cast<void>(outbox.render(Dialect::sqlite, std::vector<Message>())),
               std::invalid_argument);
  EXPECT_THROW(static_cast<void>(outbox.render(Dialect::sqlite, std::vector<Message>(1001))),
               std::invalid_argument);
}

}  // namespace
}  // namespace waybill::testing
