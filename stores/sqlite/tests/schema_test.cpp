#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "../../rules/tests/schema_suite.hpp"
#include "sqlite_fixture.hpp"
#include "waybill/drivers/sqlite.hpp"

namespace waybill::store {
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteSchema, StoreSchema, sqlite::ScratchDatabase);
}

namespace waybill::sqlite {
namespace {

Options at(const std::string& path) {
  Options options;
  options.path = path;
  options.busy_timeout = Millis(200);
  return options;
}

std::string refusal(const Options& options) {
  const auto store = open_message_store(options);
  return store ? "" : store.error().to_string();
}

TEST(SqliteSchema, prints_statements_that_make_the_same_tables) {
  const ScratchFolder folder;
  const Options applied = at(folder.file("applied.db"));
  ASSERT_TRUE(apply_schema(applied, SchemaPart::producer).ok());
  PlainClient printed(folder.file("printed.db"));
  printed.query(print_schema(SchemaPart::producer));
  const std::string tables =
      "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
  EXPECT_EQ(PlainClient(applied.path).query(tables), printed.query(tables));
}

TEST(SqliteSchema, C2_leaves_a_table_with_exactly_eight_columns_unchanged_and_says_what_it_lacks) {
  const ScratchFolder folder;
  const Options options = at(folder.file("a.db"));
  const std::string table =
      "CREATE TABLE local_message (id INTEGER PRIMARY KEY, gmt_create TEXT, gmt_modified TEXT, "
      "message_type TEXT,"
      " biz_type TEXT, identifier TEXT, content TEXT, state TEXT)";
  PlainClient client(options.path);
  client.query(table);
  ASSERT_TRUE(apply_schema(options, SchemaPart::producer).ok());
  EXPECT_EQ(client.query("SELECT sql FROM sqlite_schema WHERE name = 'local_message'").at(0),
            table);
  EXPECT_EQ(client
                .query("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = "
                       "'local_message'")
                .at(0),
            "0");
  EXPECT_EQ(refusal(options), "");

  const auto findings = check_schema(options, SchemaPart::producer);
  ASSERT_TRUE(findings.ok());
  EXPECT_EQ(findings->size(), 5U);
  for (const SchemaFinding& finding : *findings) {
    EXPECT_FALSE(finding.fatal) << finding.text;
    client.query(finding.statement);
  }
  EXPECT_TRUE(check_schema(options, SchemaPart::producer)->empty());
}

TEST(SqliteStore, says_what_is_wrong_with_the_file_and_what_to_do) {
  const ScratchFolder folder;
  EXPECT_NE(refusal(at(folder.file("missing.db"))).find("waybill schema apply"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder.file("missing.db")));
  // Nobody can tell whether it is there.
  std::filesystem::create_symlink("loop.db", folder.file("loop.db"));
  EXPECT_NE(refusal(at(folder.file("loop.db"))).find("can be read"), std::string::npos);
  EXPECT_NE(refusal(at(folder.file(""))).find("is a directory"), std::string::npos);
  std::ofstream(folder.file("text.db")) << std::string(5000, 'x');
  EXPECT_NE(refusal(at(folder.file("text.db"))).find("no SQLite database"), std::string::npos);
  PlainClient(folder.file("empty.db")).query("CREATE TABLE t(x); PRAGMA journal_mode = WAL");
  EXPECT_NE(refusal(at(folder.file("empty.db"))).find("waybill schema apply"), std::string::npos);
  Options odd = at(folder.file("missing.db"));
  odd.table = "a; DROP TABLE b";
  EXPECT_NE(refusal(odd).find("table name"), std::string::npos);
}

TEST(SqliteStore, asks_to_try_again_while_another_process_holds_the_database) {
  const ScratchFolder folder;
  const Options options = at(folder.file("a.db"));
  ASSERT_TRUE(apply_schema(options, SchemaPart::producer).ok());
  const auto store = open_message_store(options);
  ASSERT_TRUE(store.ok());
  auto session = (*store)->open_relay();
  ASSERT_TRUE(session.ok());
  PlainClient writer(options.path);
  writer.query(
      "BEGIN IMMEDIATE; INSERT INTO local_message (message_type, biz_type, identifier, content) "
      "VALUES"
      " ('t', 'b', 'i', 'c')");
  Mark mark;
  mark.id = 1;
  const auto blocked = (*session)->mark({&mark, 1});
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().remedy, Remedy::retry);
  writer.query("COMMIT");
  EXPECT_EQ((*session)->mark({&mark, 1})->at(0), Marked::done);
}

TEST(SqliteStore, its_gap_begins_when_others_can_write_and_not_after_the_log_was_copied_back) {
  const ScratchFolder scratch;
  const std::string path = scratch.file("orders.db");
  Database database(path, OpenMode::create, Millis(0));
  database.execute("CREATE TABLE t(x); PRAGMA wal_checkpoint(TRUNCATE)");
  Database other(path, OpenMode::existing, Millis(0));
  std::vector<std::uintmax_t> sizes;
  database.after_commit([&] {
    other.begin();  // throws while somebody holds the write lock
    other.roll_back();
    sizes.push_back(std::filesystem::file_size(path));
  });
  in_transaction(database, [&] { database.execute("INSERT INTO t VALUES(randomblob(6000000))"); });
  ASSERT_EQ(sizes.size(), 1U);
  EXPECT_LT(sizes[0], 100'000U);
  EXPECT_GT(std::filesystem::file_size(path), 6'000'000U);
}

TEST(SqliteStore, a_users_writer_gets_its_turn_beside_a_busy_relay) {
  const ScratchFolder folder;
  Options options = at(folder.file("a.db"));
  options.busy_timeout = Millis(10000);
  ASSERT_TRUE(apply_schema(options, SchemaPart::producer).ok());
  const auto store = open_message_store(options);
  PlainClient user(options.path);
  user.query("PRAGMA synchronous = FULL");
  std::jthread relay([&](const std::stop_token& stop) {
    auto session = (*store)->open_relay();
    ASSERT_TRUE(session.ok());
    while (!stop.stop_requested()) {
      LaneRead spec;
      spec.message_type = "t";
      const auto page = (*session)->read(spec);
      ASSERT_TRUE(page.ok());
      std::vector<Mark> marks(page->rows.size());
      for (std::size_t i = 0; i < marks.size(); ++i) marks[i].id = page->rows[i].id;
      ASSERT_TRUE((*session)->mark(marks).ok());
    }
  });
  for (int i = 0; i < 200; ++i) {
    user.query(
        "INSERT INTO local_message (message_type, biz_type, identifier, content) VALUES ('t', 'b', "
        "'" +
        std::to_string(i) + "', 'c')");
  }
  relay.request_stop();
  relay.join();
  EXPECT_EQ(user.query("SELECT COUNT(*) FROM local_message").at(0), "200");
}

}  // namespace
}  // namespace waybill::sqlite
