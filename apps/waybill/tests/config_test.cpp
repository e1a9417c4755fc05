#include "config.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "settings.hpp"

namespace waybill::cli {
namespace {

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::string error_of(const std::string& text) {
  Config config;
  const Status status = apply_config_text(text, "waybill.toml", config);
  return status.ok() ? "" : status.error().to_string();
}

const std::string kAudit = "[destinations.audit]\nurl = \"kafka://kafka\"\n";

class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "waybill_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) const {
    const std::filesystem::path path = folder_ / "waybill.toml";
    std::ofstream(path) << text;
    return path.string();
  }

  std::filesystem::path folder_;
};

TEST(Config, reads_every_section) {
  Config config;
  const Status status = apply_config_text(R"(
[store]
url = "sqlite:///srv/orders.db"
table = "shop_message"
busy_timeout = "3s"
[destinations]
default = "queue:///srv/queue.db"
[destinations.audit]
url = "kafka://kafka-1:9092,kafka-2:9092"
topic = "shop.audit"
user = "shop"
password_file = "kafka.password"
sasl_mechanism = "SCRAM-SHA-256"
tls = true
ca_file = "ca.pem"
certificate_file = "relay.pem"
key_file = "relay.key"
[destinations.points]
url = "amqps://rabbit/shop"
topic = "orders/"
queues = ["orders.points", "orders.mail"]
format = "plain"
[relay]
holder = "relay-1"
ttl = "4s"
grace = "500ms"
window = 200
sessions = 3
stop_timeout = "1m"
once_timeout = "1h"
[confirm]
listen = "127.0.0.1:8081"
keys_file = "keys.toml"
reply_destination = "replies"
reply_group = "shop"
reply_age_max = "3d"
allow_remote = true
[log]
level = "warning"
)",
                                          "waybill.toml", config);
  ASSERT_TRUE(status.ok()) << status.error().to_string();
  EXPECT_EQ(config.store.url, "sqlite:///srv/orders.db");
  EXPECT_EQ(config.store.table, "shop_message");
  EXPECT_EQ(config.store.busy_timeout, Millis(3000));
  EXPECT_EQ(config.destinations.fallback.url, "queue:///srv/queue.db");
  const Config::Destination& audit = config.destinations.named.at("audit");
  EXPECT_EQ(audit.url, "kafka://kafka-1:9092,kafka-2:9092");
  EXPECT_EQ(audit.topic, "shop.audit");
  EXPECT_EQ(audit.user, "shop");
  EXPECT_EQ(audit.password_file, "kafka.password");
  EXPECT_EQ(audit.sasl_mechanism, "SCRAM-SHA-256");
  EXPECT_TRUE(audit.tls);
  EXPECT_EQ(audit.ca_file, "ca.pem");
  EXPECT_EQ(audit.certificate_file, "relay.pem");
  EXPECT_EQ(audit.key_file, "relay.key");
  const Config::Destination& points = config.destinations.named.at("points");
  EXPECT_EQ(points.queues, (std::vector<std::string>{"orders.points", "orders.mail"}));
  EXPECT_EQ(points.format, "plain");
  EXPECT_EQ(config.relay.holder, "relay-1");
  EXPECT_EQ(config.relay.ttl, Millis(4000));
  EXPECT_EQ(config.relay.grace, Millis(500));
  EXPECT_EQ(config.relay.window, 200);
  EXPECT_EQ(config.relay.sessions, 3);
  EXPECT_EQ(config.relay.stop_timeout, Millis(60'000));
  EXPECT_EQ(config.relay.once_timeout, Millis(3'600'000));
  EXPECT_EQ(config.confirm.listen, "127.0.0.1:8081");
  EXPECT_EQ(config.confirm.keys_file, "keys.toml");
  EXPECT_TRUE(config.confirm.allow_remote);
  EXPECT_EQ(config.confirm.reply_destination, "replies");
  EXPECT_EQ(config.confirm.reply_group, "shop");
  EXPECT_EQ(config.confirm.reply_age_max, std::chrono::hours(72));
  EXPECT_EQ(config.log.level, LogLevel::warning);
}

struct Complaint {
  std::string text;
  const char* error;
};

TEST(Config, says_file_line_and_key_of_what_is_wrong) {
  const Complaint cases[] = {
      {"[rely]\nttl = \"2s\"\n", "waybill.toml:1: rely: unknown section (did you mean 'relay'?)"},
      {"[relay]\n\ntll = \"2s\"\n", "waybill.toml:3: relay.tll: unknown key (did you mean 'ttl'?)"},
      {"colour = 1\n",
       "waybill.toml:1: colour: unknown key (known: store, destinations, relay, confirm, log)"},
      {"[store]\nfrobnicate = 1\n",
       "waybill.toml:2: store.frobnicate: unknown key (known: url, table, busy_timeout)"},
      {"relay = 3\n", "waybill.toml:1: relay: must be a section, not an integer (write [relay])"},
      {"[relay]\nttl = 2\n",
       "waybill.toml:2: relay.ttl: must be a duration like \"2s\", not an integer"},
      {"[relay]\nttl = \"2 s\"\n",
       "waybill.toml:2: relay.ttl: '2 s' is no duration (write a whole number and a unit: 500ms, "
       "2s, 5m, 1h, 7d)"},
      {"[relay]\nttl = \"-2s\"\n",
       "waybill.toml:2: relay.ttl: '-2s' is no duration (write a whole number and a unit: 500ms, "
       "2s, 5m, 1h, 7d)"},
      {"[relay]\nttl = \"99999999999999999d\"\n",
       "waybill.toml:2: relay.ttl: '99999999999999999d' is no duration (write a whole number and "
       "a unit: 500ms, 2s, 5m, 1h, 7d)"},
      {"[relay]\nttl = \"5ms\"\n", "waybill.toml:2: relay.ttl: 5ms is out of range (200ms … 5m)"},
      {"[relay]\nwindow = \"many\"\n",
       "waybill.toml:2: relay.window: must be an integer, not a string"},
      {"[relay]\nwindow = 1.5\n",
       "waybill.toml:2: relay.window: must be an integer, not a decimal number"},
      {"[relay]\nwindow = 0\n", "waybill.toml:2: relay.window: 0 is out of range (1 … 10000)"},
      {"[relay]\nholder = \"\"\n",
       "waybill.toml:2: relay.holder: is empty (leave the key out to get the default)"},
      {"[relay]\nholder = \"" + std::string(201, 'h') + "\"\n",
       "waybill.toml:2: relay.holder: has 201 bytes (at most 200)"},
      {"[store]\nurl = \"mysql://x\"\n",
       "waybill.toml:2: store.url: unknown scheme 'mysql' in the store URL (known: "
       "sqlite:///absolute/path, postgresql://user@host/database, mariadb://user@host/database)"},
      {"[store]\nurl = true\n", "waybill.toml:2: store.url: must be a string, not a boolean"},
      {"[store]\ntable = \"a;b\"\n",
       "waybill.toml:2: store.table: 'a;b' is no table name (small letters, digits and '_', at "
       "most 48, "
       "no digit first)"},
      {"[destinations]\ndefault = \"queue:a\"\n",
       "waybill.toml:2: destinations.default: 'queue:a' is no URL (write queue:///absolute/path)"},
      {"[destinations]\naudit = \"queue:///a\"\n",
       "waybill.toml:2: destinations.audit: must be a table with a url, not a string (write "
       "[destinations.audit] url = \"queue:///absolute/path\")"},
      {"[destinations.audit]\n",
       "waybill.toml:1: destinations.audit: has no url (write url = \"queue:///…\")"},
      {"[destinations.audit]\nurl = 7\n",
       "waybill.toml:2: destinations.audit.url: must be a string, not an integer"},
      {"[destinations.audit]\nurl = \"http://x\"\n",
       "waybill.toml:2: destinations.audit.url: unknown scheme 'http' in the queue URL (known: "
       "queue:///absolute/path, kafka://host:port, amqp://host:port/vhost)"},
      {"[destinations.audit]\nurl = \"queue:///a\"\nuri = \"queue:///a\"\n",
       "waybill.toml:3: destinations.audit.uri: unknown key (did you mean 'url'?)"},
      {"[destinations.audit]\nurl = \"queue:///a\"\ntls = true\nuser = \"shop\"\npassword_env = "
       "\"P\"\n",
       "waybill.toml:3: destinations.audit.tls: means nothing for an embedded queue (leave the key "
       "out)\n"
       "waybill.toml:4: destinations.audit.user: means nothing for an embedded queue (leave the "
       "key "
       "out)\n"
       "waybill.toml:5: destinations.audit.password_env: means nothing for an embedded queue "
       "(leave "
       "the key out)"},
      {"[destinations.audit]\nurl = \"kafka://shop:hunter2@kafka\"\n",
       "waybill.toml:2: destinations.audit.url: the queue URL holds credentials (write user, and "
       "password_file or password_env, in [destinations.NAME])"},
      {kAudit + "user = \"shop\"\n",
       "waybill.toml:3: destinations.audit.user: has no password (write password_file or "
       "password_env)"},
      {kAudit + "password_file = \"p\"\n",
       "waybill.toml:3: destinations.audit.password_file: has no user (write user)"},
      {kAudit + "user = \"shop\"\npassword_file = \"p\"\npassword_env = \"P\"\n",
       "waybill.toml:5: destinations.audit.password_env: stands beside password_file (write one of "
       "them)"},
      {kAudit + "key_file = \"k\"\n",
       "waybill.toml:3: destinations.audit.key_file: stands alone (write certificate_file and "
       "key_file, or none of them)"},
      {kAudit + "user = \"shop\"\npassword_env = \"P\"\nsasl_mechanism = \"SCRAM-SHA-521\"\n",
       "waybill.toml:5: destinations.audit.sasl_mechanism: unknown value 'SCRAM-SHA-521' (did "
       "you mean 'SCRAM-SHA-512'?)"},
      {kAudit + "tls = false\nca_file = \"ca.pem\"\n",
       "waybill.toml:3: destinations.audit.tls: is false, but there are files for TLS (leave them "
       "out, or tls)"},
      {kAudit + "tls = \"yes\"\ntopic = \"\"\n",
       "waybill.toml:3: destinations.audit.tls: must be true or false, not a string\n"
       "waybill.toml:4: destinations.audit.topic: is empty (leave the key out)"},
      {"[destinations.a]\nurl = \"amqp://rabbit\"\ntls = true\nca_file = \"ca.pem\"\n",
       "waybill.toml:3: destinations.a.tls: means nothing for RabbitMQ (write amqps:// in url)\n"
       "waybill.toml:4: destinations.a.ca_file: needs TLS (write amqps:// in url)"},
      {kAudit + "queues = [\"points\"]\nformat = \"plane\"\n",
       "waybill.toml:3: destinations.audit.queues: means nothing for Kafka (leave the key out)\n"
       "waybill.toml:4: destinations.audit.format: unknown value 'plane' (did you mean 'plain'?)"},
      {"[confirm]\nlisten = \"8081\"\n",
       "waybill.toml:2: confirm.listen: '8081' is no address and port (write \"127.0.0.1:8081\" "
       "or \"[::1]:8081\")"},
      {"[confirm]\nallow_remote = \"yes\"\n",
       "waybill.toml:2: confirm.allow_remote: must be true or false, not a string"},
      {"[log]\nlevel = \"warn\"\n",
       "waybill.toml:2: log.level: unknown level 'warn' (did you mean 'warning'?)"},
  };
  for (const Complaint& complaint : cases) EXPECT_EQ(error_of(complaint.text), complaint.error);
}

TEST(Config, reports_everything_wrong_in_line_order) {
  EXPECT_EQ(error_of("[relay]\nwindow = 0\nsesions = 2\n[log]\nlevel = 1\n"),
            "waybill.toml:2: relay.window: 0 is out of range (1 … 10000)\n"
            "waybill.toml:3: relay.sesions: unknown key (did you mean 'sessions'?)\n"
            "waybill.toml:5: log.level: must be a string, not an integer");
}

TEST(Config, tells_the_line_of_a_syntax_error) {
  for (const char* text : {"[relay]\nttl = \n", "[relay]\nttl = \"2s\nx", "[relay]\nttl \"2s\""}) {
    EXPECT_EQ(error_of(text).rfind("waybill.toml:2: ", 0), 0U) << error_of(text);
  }
  EXPECT_NE(error_of("[relay]\nttl = \"1s\"\nttl = \"2s\"\n"), "");
}

TEST(Config, survives_bytes_that_are_no_toml) {
  EXPECT_NE(error_of(std::string("\xff\xfe\x00\x01", 4)), "");
  EXPECT_NE(error_of(std::string(5000, '[')), "");
  EXPECT_EQ(error_of(""), "");
}

TEST_F(ConfigFile, is_overridden_by_the_environment_and_that_by_flags) {
  const std::string file = write("[store]\ntable = \"from_file\"\n[relay]\nttl = \"1s\"\n");
  const auto from_file = load_config(file, environment_of({}), {});
  ASSERT_TRUE(from_file.ok()) << from_file.error().to_string();
  EXPECT_EQ(from_file->store.table, "from_file");
  const Environment environment = environment_of({{"WAYBILL_TABLE", "from_environment"}});
  const auto from_environment = load_config(file, environment, {});
  ASSERT_TRUE(from_environment.ok());
  EXPECT_EQ(from_environment->store.table, "from_environment");
  EXPECT_EQ(from_environment->relay.ttl, Millis(1000));
  const auto from_flag = load_config(file, environment, {{"store.table", "--table", "from_flag"}});
  ASSERT_TRUE(from_flag.ok());
  EXPECT_EQ(from_flag->store.table, "from_flag");
}

TEST_F(ConfigFile, is_named_by_the_environment_when_no_flag_names_one) {
  const std::string file = write("[store]\ntable = \"from_file\"\n");
  const auto config = load_config("", environment_of({{"WAYBILL_CONFIG", file}}), {});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->store.table, "from_file");
}

TEST_F(ConfigFile, must_exist_when_it_is_named) {
  const std::string missing = (folder_ / "missing.toml").string();
  const auto config = load_config(missing, environment_of({}), {});
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().text, "cannot read " + missing + ": no such file");
  const auto folder = load_config(folder_.string(), environment_of({}), {});
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().text, "cannot read " + folder_.string() + ": it is a folder");
}

TEST_F(ConfigFile, takes_relative_paths_from_its_own_folder) {
  const auto config = load_config(
      write("[confirm]\nkeys_file = \"keys.toml\"\n" + kAudit + "ca_file = \"ca.pem\"\n"),
      environment_of({}), {});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->confirm.keys_file, (folder_ / "keys.toml").string());
  EXPECT_EQ(config->destinations.named.at("audit").ca_file, (folder_ / "ca.pem").string());
}

TEST_F(ConfigFile, another_default_queue_gets_none_of_the_credentials) {
  const std::string file = write(
      "[destinations.default]\nurl = \"kafka://kafka\"\nuser = \"shop\"\npassword_env = \"P\"\n");
  const auto from_file = load_config(file, environment_of({}), {});
  ASSERT_TRUE(from_file.ok()) << from_file.error().to_string();
  EXPECT_EQ(from_file->destinations.fallback.user, "shop");
  const auto from_flag =
      load_config(file, environment_of({}), {{"destinations.default", "--queue", "kafka://else"}});
  ASSERT_TRUE(from_flag.ok());
  EXPECT_EQ(from_flag->destinations.fallback.url, "kafka://else");
  EXPECT_EQ(from_flag->destinations.fallback.user, "");
}

TEST_F(ConfigFile, names_line_and_key_when_settings_do_not_fit_together) {
  const std::string no_keys = write("[confirm]\nlisten = \"127.0.0.1:8081\"\n");
  const auto without_keys = load_config(no_keys, environment_of({}), {});
  ASSERT_FALSE(without_keys.ok());
  EXPECT_EQ(without_keys.error().text,
            no_keys + ":2: confirm.listen: is set, but confirm.keys_file is not");
  const std::string replies = write("[confirm]\nreply_destination = \"replies\"\n");
  const auto replies_without_keys = load_config(replies, environment_of({}), {});
  ASSERT_FALSE(replies_without_keys.ok());
  EXPECT_EQ(replies_without_keys.error().text,
            replies + ":2: confirm.reply_destination: is set, but confirm.keys_file is not");
  const std::string remote = write("[confirm]\nlisten = \"0.0.0.0:1\"\nkeys_file = \"k\"\n");
  const auto not_loopback = load_config(remote, environment_of({}), {});
  ASSERT_FALSE(not_loopback.ok());
  EXPECT_EQ(not_loopback.error().text,
            remote + ":2: confirm.listen: 0.0.0.0:1 is not a loopback address");
  const auto allowed =
      load_config(remote, environment_of({{"WAYBILL_CONFIRM_ALLOW_REMOTE", "true"}}), {});
  EXPECT_TRUE(allowed.ok());
}

TEST(ConfigSources, name_the_variable_or_flag_that_is_wrong) {
  const auto variable = load_config("", environment_of({{"WAYBILL_RELAY_WINDOW", "lots"}}), {});
  ASSERT_FALSE(variable.ok());
  EXPECT_EQ(variable.error().text, "WAYBILL_RELAY_WINDOW: 'lots' is no whole number");
  const auto flag = load_config("", environment_of({}), {{"store.url", "--store", "orders.db"}});
  ASSERT_FALSE(flag.ok());
  EXPECT_EQ(flag.error().to_string(),
            "--store: 'orders.db' is no URL (write sqlite:///absolute/path)");
}

TEST(ConfigSources, ignore_empty_variables) {
  const auto config = load_config("", environment_of({{"WAYBILL_STORE", ""}}), {});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->store.url, "");
}

TEST(Settings, have_names_that_find_them_again) {
  for (const Setting& setting : settings()) {
    const std::string name = std::string(setting.section) + "." + std::string(setting.key);
    EXPECT_EQ(find_setting(name), &setting) << name;
  }
  EXPECT_EQ(find_setting("relay.nothing"), nullptr);
}

TEST(ListenAddress, takes_both_families_apart) {
  const auto four = parse_listen("127.0.0.1:8081");
  ASSERT_TRUE(four.ok());
  EXPECT_EQ(four->host, "127.0.0.1");
  EXPECT_EQ(four->port, 8081);
  const auto six = parse_listen("[::1]:0");
  ASSERT_TRUE(six.ok());
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->port, 0);
  for (const char* bad : {"", ":", ":80", "127.0.0.1", "127.0.0.1:65536", "::1:80", "host name:1",
                          "127.0.0.1:-1", "[]:80"}) {
    EXPECT_FALSE(parse_listen(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace waybill::cli
