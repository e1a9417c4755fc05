// What a test does to a whole server: each has one of its own.
#include "mariadb_fixture.hpp"
#include "waybill/testing/certificates.hpp"
#include "waybill/testing/must.hpp"

namespace waybill::mariadb {
namespace {

class MariadbServer : public ::testing::Test {
 protected:
  MariadbServer()
      : server(testing::Server::own(WAYBILL_SERVERS_TOOLS, "mariadb",
                                    "/var/tmp/waybill-own-" + std::to_string(::getpid()))),
        root(std::make_unique<PlainClient>(server.url())) {
    options.url = server.url();
    testing::must(apply_schema(options, SchemaPart::producer));
  }

  // An ordinary user: root is let in where nobody else is.
  std::string as_relay() {
    root->query("CREATE USER relay@127.0.0.1; GRANT ALL ON waybill.* TO relay@127.0.0.1");
    std::string url = options.url;
    return url.replace(url.find("root"), 4, "relay");
  }

  void open() {
    auto opened = open_message_store(options);
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    store = std::move(*opened);
    auto session = store->open_relay();
    ASSERT_TRUE(session.ok()) << session.error().to_string();
    relay = std::move(*session);
  }

  // What the storage engine was asked for since the last call. Nobody else is on this server, but
  // asking costs something itself.
  std::int64_t rows_examined() {
    const auto ask = [&] {
      return std::stoll(
          root->query("SELECT SUM(VARIABLE_VALUE) FROM information_schema.GLOBAL_STATUS WHERE"
                      " VARIABLE_NAME LIKE 'HANDLER_READ%' OR VARIABLE_NAME ="
                      " 'HANDLER_ICP_ATTEMPTS'")[0]);
    };
    const std::int64_t now = ask();
    const std::int64_t examined = now - examined_;
    const std::int64_t cost = ask() - now;
    examined_ = now + cost;
    return examined - cost;
  }

  const testing::Server server;
  std::unique_ptr<PlainClient> root;
  Options options;
  std::unique_ptr<MessageStore> store;
  std::unique_ptr<RelaySession> relay;

 private:
  std::int64_t examined_ = 0;
};

TEST_F(MariadbServer, L1_a_demoted_primary_and_a_full_server_are_transport_failures) {
  options.url = as_relay();
  open();
  root->query("SET GLOBAL read_only = 1");
  const auto refused = relay->take({}, "relay");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().remedy, Remedy::retry) << refused.error().to_string();
  EXPECT_NE(refused.error().hint.find("primary"), std::string::npos) << refused.error().hint;
  root->query("SET GLOBAL read_only = 0");
  EXPECT_TRUE(relay->take({}, "relay").ok());

  root->query("SET GLOBAL max_connections = 10");
  std::vector<std::unique_ptr<PlainClient>> others;
  try {
    while (others.size() < 20) others.push_back(std::make_unique<PlainClient>(options.url));
  } catch (const std::runtime_error&) {
  }
  ASSERT_LT(others.size(), 20U) << "the server lets everybody in";
  const auto full = store->open_relay();
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().remedy, Remedy::retry) << full.error().to_string();
  EXPECT_NE(full.error().hint.find("max_connections"), std::string::npos) << full.error().hint;
  others.clear();
}

TEST_F(MariadbServer, a_session_brings_its_own_settings_and_refuses_what_cannot_work) {
  root->query(
      "SET GLOBAL sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES';"
      " SET GLOBAL tx_isolation = 'SERIALIZABLE'; SET GLOBAL autocommit = 0;"
      " SET GLOBAL time_zone = '+08:00'; SET GLOBAL character_set_server = latin1;"
      " SET GLOBAL innodb_lock_wait_timeout = 600");
  open();
  root->query(
      "INSERT INTO local_message (message_type, biz_type, identifier, content)"
      " VALUES ('order.placed', 'order', 'A', '{}')");
  LaneRead spec;
  spec.message_type = "order.placed";
  const auto page = relay->read(spec);
  ASSERT_TRUE(page.ok()) << page.error().to_string();
  ASSERT_EQ(page->rows.size(), 1U);
  EXPECT_LT(page->now - page->rows[0].gmt_create, std::chrono::minutes(30));
  Mark mark;
  mark.id = page->rows[0].id;
  mark.cause = Cause::acked;
  EXPECT_EQ(relay->mark({&mark, 1})->at(0), Marked::done);

  root->query("SET GLOBAL binlog_format = 'STATEMENT'");
  const auto statement = store->open_relay();
  ASSERT_FALSE(statement.ok());
  EXPECT_EQ(statement.error().remedy, Remedy::fix_call);
  EXPECT_NE(statement.error().text.find("binlog_format"), std::string::npos);
}

// A tenth of the full size; the statistics say that the table is empty.
TEST_F(MariadbServer, G1_a_scan_examines_what_it_returns_whatever_the_statistics_say) {
  open();
  root->query(
      "ALTER TABLE local_message STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0;"
      " ALTER TABLE local_message_delivery STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0;"
      " ANALYZE TABLE local_message, local_message_delivery");
  const auto insert = [&](int rows, const std::string& state, const std::string& modified) {
    root->query(
        "INSERT INTO local_message"
        " (gmt_modified, message_type, biz_type, identifier, content, state)"
        " SELECT " +
        modified + ", CONCAT('type.', seq MOD 4), 'order', CONCAT('" + state + "-', seq), '{}', '" +
        state + "' FROM seq_1_to_" + std::to_string(rows));
  };
  const std::string later = "UTC_TIMESTAMP(6) + INTERVAL 1 HOUR";
  insert(100'000, "SUCCESS", later);
  insert(80'000, "SENT", later);
  insert(10'000, "DEAD", later);
  insert(10'000, "RETRY", later);
  root->query(
      "INSERT INTO local_message_delivery (id, message_type, next_attempt_at)"
      " SELECT id, message_type, " +
      later + " FROM local_message WHERE state = 'RETRY'");
  root->query(
      "INSERT INTO local_message_delivery (id, message_type)"
      " SELECT id, message_type FROM local_message WHERE state = 'DEAD'");
  insert(400, "INIT", later);

  LaneRead fresh;
  fresh.message_type = "type.1";
  static_cast<void>(relay->read(fresh));  // prepares the statement
  static_cast<void>(rows_examined());
  const auto page = relay->read(fresh);
  ASSERT_TRUE(page.ok()) << page.error().to_string();
  ASSERT_EQ(page->rows.size(), 100U);
  // A dozen a row: the index, the length, the narrow temporary tables of the window, the row.
  EXPECT_LE(rows_examined(), 1500);
  fresh.after.id = page->rows.back().id;
  EXPECT_TRUE(relay->read(fresh)->rows.empty());
  LaneRead overdue = fresh;
  overdue.lane = Lane::overdue;
  overdue.after = {};
  EXPECT_TRUE(relay->read(overdue)->rows.empty());
  LaneRead due = overdue;
  due.lane = Lane::due;
  EXPECT_TRUE(relay->read(due)->rows.empty());
  for (const Lane lane : {Lane::fresh, Lane::overdue, Lane::due}) {
    EXPECT_EQ(relay->types_present(lane)->size(), 4U);
  }
  EXPECT_LE(rows_examined(), 100);

  const std::string earlier = "UTC_TIMESTAMP(6) - INTERVAL 1 HOUR";
  root->query("UPDATE local_message SET gmt_modified = " + earlier +
              " WHERE state = 'SENT' AND message_type = 'type.1' ORDER BY id DESC LIMIT 100");
  root->query("UPDATE local_message_delivery SET next_attempt_at = " + earlier +
              " WHERE message_type = 'type.1' AND next_attempt_at IS NOT NULL"
              " ORDER BY id DESC LIMIT 100");
  for (const LaneRead& waiting : {overdue, due}) {
    static_cast<void>(rows_examined());
    EXPECT_EQ(relay->read(waiting)->rows.size(), 100U);
    EXPECT_LE(rows_examined(), 2000);
  }

  Mark mark;
  mark.id = page->rows[0].id;
  mark.cause = Cause::acked;
  EXPECT_EQ(relay->mark({&mark, 1})->at(0), Marked::done);
  EXPECT_LE(rows_examined(), 20);
}

// The server's certificate is of "localhost".
TEST(MariadbTls, an_issuer_in_the_url_is_asked_for_the_servers_certificate_and_name) {
  const testing::Certificates certificates;
  certificates.make("server", 2);
  const auto server = testing::Server::own(
      WAYBILL_SERVERS_TOOLS, "mariadb", "/var/tmp/waybill-own-" + std::to_string(::getpid()),
      "WAYBILL_MARIADB_OPTIONS='--ssl-cert=" + certificates.path("server.crt") +
          " --ssl-key=" + certificates.path("server.key") + "'");
  PlainClient root(server.url());
  root.query(
      "CREATE USER secure@127.0.0.1 REQUIRE SSL; GRANT ALL ON waybill.* TO secure@127.0.0.1");
  const auto applied = [&](const std::string& host, const std::string& parameters) {
    Options options;
    options.url = server.url();
    options.url.replace(options.url.find("root@127.0.0.1"), 14, "secure@" + host);
    options.url += parameters;
    const auto result = apply_schema(options, SchemaPart::producer);
    return result ? Error{Remedy::retry, "applied", ""} : result.error();
  };
  const std::string ca = "?ssl-ca=" + certificates.path("ca.crt");
  EXPECT_EQ(applied("localhost", ca).text, "applied");
  EXPECT_EQ(applied("127.0.0.1", "?ssl=true").text, "applied") << "encrypted, whoever it is";
  for (const Error& refused : {applied("127.0.0.1", ca),
                               applied("localhost", "?ssl-ca=" + certificates.path("other.crt"))}) {
    EXPECT_EQ(refused.remedy, Remedy::fix_call) << refused.to_string();
    EXPECT_NE(refused.hint.find("ssl"), std::string::npos) << refused.to_string();
  }
  EXPECT_EQ(applied("localhost", "").remedy, Remedy::fix_call) << "without TLS";
}

}  // namespace
}  // namespace waybill::mariadb
