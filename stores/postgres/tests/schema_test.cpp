#include "../../rules/tests/schema_suite.hpp"
#include "postgres_fixture.hpp"

namespace waybill::store {
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresSchema, StoreSchema, postgres::ScratchDatabase);
}

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

TEST(PostgresSchema, bad_addresses_are_refused_with_a_hint) {
  const ScratchDatabase database;
  const Error missing = refusal(at(database.url_of("no_such_database")));
  EXPECT_EQ(missing.remedy, Remedy::fix_call) << missing.to_string();
  EXPECT_NE(missing.text.find("no_such_database"), std::string::npos);

  const Error nobody = refusal(at("postgresql://postgres@127.0.0.1:1/postgres"));
  EXPECT_EQ(nobody.remedy, Remedy::retry) << nobody.to_string();

  PlainClient client(database.url());
  client.query("CREATE DATABASE waybill_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const Error latin1 = refusal(at(database.url_of("waybill_latin1")));
  client.query("DROP DATABASE waybill_latin1");
  EXPECT_EQ(latin1.remedy, Remedy::fix_call);
  EXPECT_NE(latin1.text.find("UTF8"), std::string::npos) << latin1.text;
}

TEST(PostgresSchema, passwords_are_not_repeated) {
  const Error refused = refusal(at("postgresql://shop:hunter2@127.0.0.1:1/orders"));
  EXPECT_EQ(refused.to_string().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace waybill::postgres
