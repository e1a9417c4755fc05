#include <algorithm>
#include <thread>

#include "postgres_fixture.hpp"

namespace waybill::postgres {
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

TEST(PostgresSchema, is_applied_once_and_again_without_a_change) {
  const ScratchDatabase database;
  const auto first = apply_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  EXPECT_EQ(first->version_after, 1);
  const auto second = apply_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->done.empty());
  const auto findings = check_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(findings.ok()) << findings.error().to_string();
  EXPECT_TRUE(findings->empty()) << findings->front().text;
}

TEST(PostgresSchema, is_applied_by_four_at_once) {
  const ScratchDatabase database;
  std::vector<std::thread> migrators;
  for (int i = 0; i < 4; ++i) {
    migrators.emplace_back([&] {
      const auto applied = apply_schema(at(database.url()), SchemaPart::producer);
      EXPECT_TRUE(applied.ok()) << applied.error().to_string();
    });
  }
  for (auto& migrator : migrators) migrator.join();
  EXPECT_EQ(refusal(at(database.url())).text, "it opened");
}

TEST(PostgresSchema, C2_a_foreign_table_stays_as_it_is_and_check_says_what_it_lacks) {
  const ScratchDatabase database;
  PlainClient client(database.url());
  client.query(
      "CREATE TABLE local_message (id bigserial, gmt_create timestamptz, gmt_modified timestamptz,"
      " message_type text, biz_type text, identifier text, content text, state text)");
  const auto applied = apply_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(applied.ok()) << applied.error().to_string();
  EXPECT_EQ(
      client.query("SELECT COUNT(*) FROM pg_index WHERE indrelid = 'local_message'::regclass"),
      std::vector<std::string>{"0"});
  // None of them refuses a repeated message.
  client.query(
      "INSERT INTO local_message (message_type, biz_type, identifier) VALUES ('t', 'b', 'i'), ('t',"
      " 'b', 'i')");
  EXPECT_THROW(client.query("CREATE UNIQUE INDEX CONCURRENTLY half_built ON local_message"
                            " (biz_type, message_type, identifier)"),
               std::runtime_error);
  client.query(
      "DELETE FROM local_message;"
      "CREATE UNIQUE INDEX ON local_message (biz_type, message_type, identifier, left(content, 1));"
      "ALTER TABLE local_message ADD UNIQUE (biz_type, message_type, identifier) DEFERRABLE");
  const auto findings = check_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->size(), 5U);
  // The printed statements mend it.
  for (const SchemaFinding& finding : *findings) client.query(finding.statement);
  EXPECT_TRUE(check_schema(at(database.url()), SchemaPart::producer)->empty());
}

TEST(PostgresSchema, C8_columns_that_do_not_compare_as_bytes_are_refused) {
  const ScratchDatabase database;
  PlainClient client(database.url());
  client.query(
      "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
      "CREATE TABLE local_message (id bigserial, gmt_create timestamptz, gmt_modified timestamptz,"
      " message_type text, biz_type text, identifier varchar(100) COLLATE loose, content text,"
      " state text)");
  ASSERT_TRUE(apply_schema(at(database.url()), SchemaPart::producer).ok());
  const Error refused = refusal(at(database.url()));
  EXPECT_EQ(refused.remedy, Remedy::fix_call);
  EXPECT_NE(refused.text.find("'identifier'"), std::string::npos) << refused.text;
  // What schema check prints mends it.
  const auto findings = check_schema(at(database.url()), SchemaPart::producer);
  ASSERT_TRUE(findings.ok()) << findings.error().to_string();
  for (const SchemaFinding& finding : *findings) client.query(finding.statement);
  EXPECT_EQ(refusal(at(database.url())).text, "it opened");
  EXPECT_TRUE(check_schema(at(database.url()), SchemaPart::producer)->empty());
}

TEST(PostgresSchema, a_missing_column_is_named) {
  const ScratchDatabase database;
  PlainClient(database.url()).query("CREATE TABLE local_message (id bigserial, state text)");
  const auto applied = apply_schema(at(database.url()), SchemaPart::producer);
  ASSERT_FALSE(applied.ok());
  EXPECT_NE(applied.error().text.find("no column 'gmt_create'"), std::string::npos);
  EXPECT_EQ(PlainClient(database.url()).query("SELECT to_regclass('waybill_schema')").at(0), "")
      << "nothing half-written";
}

TEST(PostgresSchema, bad_addresses_are_refused_with_a_hint) {
  const ScratchDatabase database;
  const Error unprepared = refusal(at(database.url()));
  EXPECT_EQ(unprepared.remedy, Remedy::fix_call);
  EXPECT_NE(unprepared.hint.find("waybill schema apply"), std::string::npos) << unprepared.hint;

  const std::string server = server_url().substr(0, server_url().rfind('/') + 1);
  const Error missing = refusal(at(server + "no_such_database"));
  EXPECT_EQ(missing.remedy, Remedy::fix_call) << missing.to_string();
  EXPECT_NE(missing.text.find("no_such_database"), std::string::npos);

  const Error nobody = refusal(at("postgresql://postgres@127.0.0.1:1/postgres"));
  EXPECT_EQ(nobody.remedy, Remedy::retry) << nobody.to_string();

  PlainClient(server_url())
      .query("CREATE DATABASE " + std::string("waybill_latin1") +
             " ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const Error latin1 = refusal(at(server + "waybill_latin1"));
  PlainClient(server_url()).query("DROP DATABASE waybill_latin1");
  EXPECT_EQ(latin1.remedy, Remedy::fix_call);
  EXPECT_NE(latin1.text.find("UTF8"), std::string::npos) << latin1.text;
}

TEST(PostgresSchema, passwords_are_not_repeated) {
  const Error refused = refusal(at("postgresql://shop:hunter2@127.0.0.1:1/orders"));
  EXPECT_EQ(refused.to_string().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace waybill::postgres
