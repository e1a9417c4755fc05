#include <algorithm>

#include "../../rules/tests/schema_suite.hpp"
#include "mariadb_fixture.hpp"

namespace waybill::mariadb {

// The tables do not take the database's character set.
struct Latin1Database : ScratchDatabase {
  Latin1Database() : ScratchDatabase("CHARACTER SET latin1") {}
};

}  // namespace waybill::mariadb

namespace waybill::store {
INSTANTIATE_TYPED_TEST_SUITE_P(MariadbSchema, StoreSchema, mariadb::Latin1Database);
}

namespace waybill::mariadb {
namespace {

Options at(const std::string& url) {
  Options options;
  options.url = url;
  return options;
}

Error refusal(const Options& options) {
  const auto store = open_message_store(options);
  return store ? Error{Remedy::retry, "it opened", ""} : store.error();
}

void apply_producer(const ScratchDatabase& database) {
  const auto applied = apply_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(applied.ok()) << applied.error().to_string();
}

std::vector<SchemaFinding> check(const ScratchDatabase& database) {
  const auto findings = check_schema(at(database.url()), SchemaPart::producer);
  EXPECT_TRUE(findings.ok()) << findings.error().to_string();
  return findings ? *findings : std::vector<SchemaFinding>{};
}

constexpr const char* kEightColumns =
    "CREATE TABLE local_message (id bigint AUTO_INCREMENT, gmt_create datetime, gmt_modified"
    " datetime, message_type varchar(128), biz_type varchar(64), identifier varchar(128),"
    " content text, state varchar(16), KEY (id, state)) ";

// MariaDB commits each table by itself: a migration that was cut off after any of its statements
// is finished by the next run.
TEST(MariadbSchema, is_finished_after_it_was_cut_off_anywhere) {
  const ScratchDatabase database;
  PlainClient client(database.url());
  apply_producer(database);
  for (const char* table :
       {"waybill_audit", "waybill_consumer", "waybill_route", "local_message_lease",
        "local_message_receipt", "local_message_delivery", "local_message"}) {
    client.query(std::string("DELETE FROM waybill_schema; DROP TABLE ") + table);
    apply_producer(database);
    EXPECT_EQ(refusal(at(database.url())).text, "it opened") << table;
  }
  client.query("DELETE FROM waybill_schema; DELETE FROM local_message_lease");
  apply_producer(database);
  EXPECT_EQ(client.query("SELECT COUNT(*) FROM local_message_lease"),
            std::vector<std::string>{"1"});
}

TEST(MariadbSchema, C2_a_foreign_table_stays_as_it_is_and_check_says_what_it_lacks) {
  const ScratchDatabase database("CHARACTER SET latin1");
  PlainClient client(database.url());
  client.query(std::string(kEightColumns) + "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  // Neither serves: one compares only how the columns begin, the other is never used.
  client.query(
      "ALTER TABLE local_message ADD UNIQUE KEY starts (biz_type(9), message_type(9), "
      "identifier(9)),"
      " ADD KEY unused (state, message_type, id) IGNORED");
  const auto before = client.query(
      "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE"
      " TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'local_message'");
  apply_producer(database);
  EXPECT_EQ(client.query("SELECT COUNT(*) FROM information_schema.STATISTICS WHERE"
                         " TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'local_message'"),
            before);
  EXPECT_EQ(refusal(at(database.url())).text, "it opened");
  const std::vector<SchemaFinding> findings = check(database);
  // The headers, four indexes, and four columns that ignore spaces at the end.
  EXPECT_EQ(findings.size(), 9U);
  EXPECT_EQ(std::count_if(findings.begin(), findings.end(),
                          [](const SchemaFinding& finding) { return finding.fatal; }),
            0);
  // The printed statements mend it.
  for (const SchemaFinding& finding : findings) client.query(finding.statement);
  const std::vector<SchemaFinding> left = check(database);
  EXPECT_TRUE(left.empty()) << left.front().text;
}

TEST(MariadbSchema, C2_indexes_under_other_names_serve_as_well) {
  const ScratchDatabase database;
  PlainClient client(database.url());
  client.query(std::string(kEightColumns) + "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin");
  client.query(
      "ALTER TABLE local_message ADD UNIQUE KEY `by number` (id), ADD UNIQUE KEY mine (biz_type,"
      " message_type, identifier), ADD KEY lane (state, message_type), ADD KEY late (state,"
      " message_type, gmt_modified), ADD COLUMN headers text");
  apply_producer(database);
  const std::vector<SchemaFinding> findings = check(database);
  // InnoDB ends an index with the primary key, which this table has not.
  EXPECT_TRUE(findings.empty()) << findings.front().text;
  const auto store = open_message_store(at(database.url()));
  ASSERT_TRUE(store.ok()) << store.error().to_string();
  const auto relay = (*store)->open_relay();
  ASSERT_TRUE(relay.ok());
  client.query(
      "INSERT INTO local_message (message_type, biz_type, identifier, content, state)"
      " VALUES ('t', 'b', 'i', '{}', 'INIT')");
  LaneRead spec;
  spec.message_type = "t";
  const auto page = (*relay)->read(spec);
  ASSERT_TRUE(page.ok()) << page.error().to_string();
  ASSERT_EQ(page->rows.size(), 1U);
  Mark mark;
  mark.id = page->rows[0].id;
  mark.cause = Cause::acked;
  EXPECT_EQ((*relay)->mark({&mark, 1})->at(0), Marked::done);
}

TEST(MariadbSchema, C8_columns_that_do_not_compare_as_bytes_or_hold_three_byte_utf8_are_refused) {
  struct Case {
    std::string collation;
    std::string said;
  };
  for (const Case& each : {Case{"CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "as bytes"},
                           Case{"CHARACTER SET utf8mb3 COLLATE utf8mb3_bin", "cannot hold"},
                           Case{"CHARACTER SET latin1 COLLATE latin1_bin", "cannot hold"}}) {
    const ScratchDatabase database;
    PlainClient client(database.url());
    client.query(kEightColumns + each.collation);
    apply_producer(database);
    const Error refused = refusal(at(database.url()));
    EXPECT_EQ(refused.remedy, Remedy::fix_call) << each.collation;
    EXPECT_NE(refused.text.find(each.said), std::string::npos) << refused.text;
    EXPECT_NE(refused.hint.find("ALTER TABLE local_message CONVERT"), std::string::npos);
    // What schema check prints mends it.
    for (const SchemaFinding& finding : check(database)) client.query(finding.statement);
    EXPECT_EQ(refusal(at(database.url())).text, "it opened") << each.collation;
  }
}

TEST(MariadbSchema, bad_addresses_are_refused_with_a_hint) {
  const ScratchDatabase database;
  const Error missing = refusal(at(database.url_of("no_such_database")));
  EXPECT_EQ(missing.remedy, Remedy::fix_call) << missing.to_string();
  EXPECT_NE(missing.text.find("no_such_database"), std::string::npos) << missing.text;
  EXPECT_NE(missing.hint.find("create the database"), std::string::npos) << missing.hint;

  const Error nobody = refusal(at("mariadb://root@127.0.0.1:1/waybill"));
  EXPECT_EQ(nobody.remedy, Remedy::retry) << nobody.to_string();
  EXPECT_NE(nobody.hint.find("server runs"), std::string::npos) << nobody.hint;

  const Error scheme = refusal(at("mysql://root@127.0.0.1/waybill"));
  EXPECT_EQ(scheme.remedy, Remedy::fix_call);
  EXPECT_NE(scheme.text.find("mariadb://"), std::string::npos) << scheme.text;

  std::string tls = database.url() + "?ssl=1";
  const Error plain_server = refusal(at(tls));
  EXPECT_EQ(plain_server.remedy, Remedy::fix_call) << plain_server.to_string();
  EXPECT_NE(plain_server.hint.find("ssl"), std::string::npos) << plain_server.hint;
}

TEST(MariadbSchema, passwords_are_checked_and_never_repeated) {
  const ScratchDatabase database;
  const std::string user = database.name();
  PlainClient root(database.url());
  root.query("CREATE USER " + user + "@127.0.0.1 IDENTIFIED BY 'hunter2/@?'; GRANT ALL ON " + user +
             ".* TO " + user + "@127.0.0.1");
  const auto with = [&](const std::string& password) {
    std::string url = database.url();
    return at(url.replace(url.find("root"), 4, user + password));
  };
  EXPECT_TRUE(apply_schema(with(":hunter2%2F%40%3F"), SchemaPart::producer).ok());
  EXPECT_EQ(refusal(with(":hunter2%2F%40%3F")).text, "it opened");
  for (const Options& wrong : {with(":hunter3"), with("")}) {
    const Error refused = refusal(wrong);
    EXPECT_EQ(refused.remedy, Remedy::fix_call) << refused.to_string();
    EXPECT_NE(refused.hint.find("password"), std::string::npos) << refused.hint;
    EXPECT_EQ(refused.to_string().find("hunter"), std::string::npos) << refused.to_string();
  }
  root.query("DROP USER " + user + "@127.0.0.1");
}

}  // namespace
}  // namespace waybill::mariadb
