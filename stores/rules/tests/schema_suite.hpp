// What every store makes of a database in which its schema is missing, of another version, or not
// to be had. A test program instantiates it for its own:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(PostgresSchema, StoreSchema, ScratchDatabase);
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "store_fixture.hpp"

namespace waybill::store {

template <class Database>
class StoreSchema : public ::testing::Test {
 protected:
  SchemaApplied apply(SchemaPart part) { return must(apply_schema(database.options(), part)); }

  void expect_refused(Remedy remedy, const std::string& text) {
    const auto store = open_message_store(database.options());
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().remedy, remedy) << store.error().to_string();
    EXPECT_NE(store.error().to_string().find(text), std::string::npos) << store.error().to_string();
  }

  const Database database;
};

TYPED_TEST_SUITE_P(StoreSchema);

TYPED_TEST_P(StoreSchema, is_applied_once_and_again_without_a_change) {
  this->expect_refused(Remedy::fix_call, "waybill schema apply");
  const SchemaApplied first = this->apply(SchemaPart::producer);
  EXPECT_EQ(first.version_before, 0);
  EXPECT_EQ(first.version_after, 1);
  EXPECT_TRUE(this->apply(SchemaPart::producer).done.empty());
  const auto findings = must(check_schema(this->database.options(), SchemaPart::producer));
  EXPECT_TRUE(findings.empty()) << findings.front().text;
  EXPECT_TRUE(open_message_store(this->database.options()).ok());
}

TYPED_TEST_P(StoreSchema, is_applied_by_four_at_once) {
  std::vector<std::thread> migrators;
  for (int i = 0; i < 4; ++i) {
    migrators.emplace_back([&] { EXPECT_NO_THROW(this->apply(SchemaPart::producer)); });
  }
  for (auto& migrator : migrators) migrator.join();
  EXPECT_TRUE(open_message_store(this->database.options()).ok());
}

TYPED_TEST_P(StoreSchema, of_an_older_version_asks_for_its_migration_and_keeps_its_rows) {
  this->apply(SchemaPart::consumer);
  for (const char* statement :
       {"ALTER TABLE waybill_parked DROP COLUMN partition_key",
        "ALTER TABLE waybill_parked DROP COLUMN traceparent",
        "UPDATE waybill_schema SET version = 1",
        "INSERT INTO waybill_parked (consumer, message_id, message_type, body, reason, epoch,"
        " attempts) VALUES ('points', 'a/t/1', 't', '', 'no such user', 0, 1)"}) {
    this->database.query(statement);
  }
  const auto refused = open_inbox_store(this->database.options());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().to_string().find("schema apply"), std::string::npos)
      << refused.error().to_string();
  const SchemaApplied applied = this->apply(SchemaPart::consumer);
  EXPECT_EQ(applied.version_before, 1);
  EXPECT_EQ(applied.version_after, 2);
  EXPECT_EQ(this->database.query("SELECT reason FROM waybill_parked WHERE partition_key = ''"),
            std::vector<std::string>{"no such user"});
  EXPECT_TRUE(open_inbox_store(this->database.options()).ok());
}

TYPED_TEST_P(StoreSchema, of_a_newer_version_is_refused_and_left_alone) {
  this->apply(SchemaPart::producer);
  this->database.query("UPDATE waybill_schema SET version = 99");
  this->expect_refused(Remedy::fix_call, "schema version 99");
  EXPECT_FALSE(apply_schema(this->database.options(), SchemaPart::producer).ok());
  this->database.query("UPDATE waybill_schema SET version = 0");
  this->expect_refused(Remedy::fix_call, "waybill schema apply");
}

TYPED_TEST_P(StoreSchema, names_the_column_that_a_foreign_table_has_not) {
  this->database.query("CREATE TABLE local_message (id integer PRIMARY KEY, state varchar(16))");
  const auto applied = apply_schema(this->database.options(), SchemaPart::producer);
  ASSERT_FALSE(applied.ok());
  EXPECT_NE(applied.error().text.find("no column 'gmt_create'"), std::string::npos)
      << applied.error().text;
  EXPECT_THROW(this->database.query("SELECT version FROM waybill_schema"), std::runtime_error)
      << "nothing half-written";
}

REGISTER_TYPED_TEST_SUITE_P(StoreSchema, is_applied_once_and_again_without_a_change,
                            is_applied_by_four_at_once,
                            of_an_older_version_asks_for_its_migration_and_keeps_its_rows,
                            of_a_newer_version_is_refused_and_left_alone,
                            names_the_column_that_a_foreign_table_has_not);

}  // namespace waybill::store
