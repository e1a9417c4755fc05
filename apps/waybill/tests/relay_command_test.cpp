#include <fmt/format.h>
#include <signal.h>

#include <boost/json/object.hpp>

#include "program.hpp"
#include "waybill/confirm/signature.hpp"
#include "waybill/http/client.hpp"

namespace waybill::cli {
namespace {

using boost::json::value;

class Relay : public ProgramTest {
 protected:
  // The bodies in the topic, in queue order.
  std::vector<std::string> published() const {
    std::vector<std::string> bodies;
    const Answer run = waybill({"queue", "peek", "--topic", "orders", "--limit", "1000", "--json"});
    const value answer = run.json();  // outlives the loop over its part
    for (const value& message : answer.at("messages").as_array()) {
      bodies.emplace_back(message.at("content").as_string());
    }
    return bodies;
  }
};

TEST_F(Relay, G6_once_publishes_what_waits_and_answers_in_json) {
  set_up_shop();
  insert_orders(1, 25);
  const Answer run = waybill({"relay", "--once", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.json().at("published").to_number<int>(), 25);
  EXPECT_EQ(run.json().at("marked").to_number<int>(), 25);
  EXPECT_EQ(run.json().at("left").to_number<int>(), 0);
  EXPECT_EQ(states(), "SUCCESS|25\n");
  EXPECT_EQ(published().size(), 25U);
  EXPECT_EQ(published().front(), "{\"order\":1}");
}

TEST_F(Relay, G6_once_with_nothing_to_do_publishes_nothing_and_succeeds) {
  set_up_shop();
  const Answer run = waybill({"relay", "--once", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.json().at("published").to_number<int>(), 0);
}

TEST_F(Relay, G6_once_says_with_exit_code_1_that_rows_are_left) {
  set_up_shop();
  insert_orders(1, 1);
  sql("orders.db",
      "INSERT INTO local_message(message_type, biz_type, identifier, content) "
      "VALUES('no.route', 'order', 'B-1', 'x');");
  const Answer run = waybill({"relay", "--once", "--json"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_EQ(run.json().at("published").to_number<int>(), 1);
  EXPECT_EQ(run.json().at("left").to_number<int>(), 1);
  EXPECT_EQ(states(), "INIT|1\nSUCCESS|1\n");
}

TEST_F(Relay, G6_once_leaves_rows_of_confirmed_types_to_their_consumers) {
  set_up_shop("points");
  insert_orders(1, 3);
  const Answer run = waybill({"relay", "--once"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("published 3"), std::string::npos) << run.out;
  EXPECT_EQ(states(), "SENT|3\n");
}

TEST_F(Relay, publishes_until_SIGTERM_and_then_stops_flushed) {
  set_up_shop();
  insert_orders(1, 10);
  const auto relay = start({"relay"});
  EXPECT_TRUE(wait_until([&] { return states() == "SUCCESS|10\n"; })) << states();
  insert_orders(11, 10);
  EXPECT_TRUE(wait_until([&] { return states() == "SUCCESS|20\n"; })) << states();
  relay->send(SIGTERM);
  const Answer run = relay->wait();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(published().size(), 20U);
  EXPECT_EQ(waybill({"status", "--json"}).json().at("lease").at("holder").as_string(), "");
}

TEST_F(Relay, stops_on_SIGINT_too) {
  set_up_shop();
  const auto relay = start({"relay"});
  EXPECT_TRUE(relay->wait_for_log("relaying"));
  relay->send(SIGINT);
  EXPECT_EQ(relay->wait().exit_code, 0);
}

TEST_F(Relay, takes_over_after_a_kill_and_loses_nothing) {
  set_up_shop();
  insert_orders(1, 200);
  const auto first = start({"relay"}, {{"WAYBILL_RELAY_TTL", "300ms"}});
  EXPECT_TRUE(wait_until([&] { return states().find("SUCCESS") != std::string::npos; }));
  first->send(SIGKILL);
  EXPECT_EQ(first->wait().exit_code, 128 + SIGKILL);
  insert_orders(201, 50);
  const auto second = start({"relay"}, {{"WAYBILL_RELAY_TTL", "300ms"}});
  EXPECT_TRUE(wait_until([&] { return states() == "SUCCESS|250\n"; })) << states();
  second->send(SIGTERM);
  EXPECT_EQ(second->wait().exit_code, 0);
  EXPECT_GE(published().size(), 250U);
}

// A relay with the confirmation endpoint, and a consumer that may use it.
class RelayConfirmations : public Relay {
 protected:
  void write_key(const std::string& id) {
    key_ = {id, "points", "secret of " + id + ", long enough"};
    write("keys.toml", fmt::format("[[key]]\nid = \"{}\"\nconsumer = \"points\"\nsecret = \"{}\"\n",
                                   key_.id, key_.secret));
  }

  void start_relay(const Variables& variables = {}) {
    relay_ = start({"relay", "--listen", "127.0.0.1:0", "--keys-file", "keys.toml"}, variables);
    const std::string logged = "confirmations on ";
    ASSERT_TRUE(relay_->wait_for_log("/api/v1/confirmations")) << relay_->err();
    const std::string log = relay_->err();
    const std::size_t begin = log.find(logged) + logged.size();
    url_ = log.substr(begin, log.find("/api/v1", begin) - begin);
  }

  // The status of a confirmation of that order, signed with `key`.
  int confirm(const std::string& identifier, const confirm::Key& key) const {
    confirm::Request request;
    request.body = fmt::format(
        R"({{"consumer":"points","retention_seconds":604800,"confirmations":[{{"message_id":)"
        R"("order/order.placed/{}","verdict":"done","epoch":0,)"
        R"("sent_at":"2026-11-23T21:09:00.000000Z"}}]}})",
        identifier);
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    confirm::sign(request, key, "msg-1", now);
    http::Client client({.base_url = url_, .ca_file = ca_file_});
    const auto response =
        client.send({request.method, request.target, request.headers, request.body});
    EXPECT_TRUE(response.ok()) << response.error().to_string();
    return response.ok() ? response->status : 0;
  }

  confirm::Key key_;
  std::unique_ptr<Process> relay_;
  std::string url_;
  std::string ca_file_;
};

TEST_F(RelayConfirmations, H1_close_the_row) {
  set_up_shop("points");
  insert_orders(1, 1);
  write_key("p1");
  start_relay();
  EXPECT_TRUE(wait_until([&] { return states() == "SENT|1\n"; })) << states();
  EXPECT_EQ(confirm("A-1", key_), 200);
  EXPECT_EQ(states(), "SUCCESS|1\n");
  relay_->send(SIGTERM);
  EXPECT_EQ(relay_->wait().exit_code, 0);
}

TEST_F(RelayConfirmations, H9_follow_the_keys_that_SIGHUP_reloads) {
  set_up_shop("points");
  insert_orders(1, 1);
  write_key("p1");
  start_relay();
  const confirm::Key old_key = key_;
  write_key("p2");
  EXPECT_EQ(confirm("A-1", key_), 401);
  relay_->send(SIGHUP);
  EXPECT_TRUE(relay_->wait_for_log("keys reloaded")) << relay_->err();
  EXPECT_EQ(confirm("A-1", old_key), 401);
  EXPECT_EQ(confirm("A-1", key_), 200);
}

TEST_F(RelayConfirmations, keep_the_old_keys_when_the_new_file_is_wrong_and_tell_no_secret) {
  set_up_shop("points");
  insert_orders(1, 1);
  write_key("p1");
  start_relay();
  write("keys.toml", "[[key]]\nid = 'p1'\nsecret = 'not to be told'\n");
  relay_->send(SIGHUP);
  EXPECT_TRUE(relay_->wait_for_log("keys.toml:1: key.consumer: is missing")) << relay_->err();
  EXPECT_EQ(confirm("A-1", key_), 200);
  EXPECT_EQ(relay_->err().find("not to be told"), std::string::npos);
}

TEST_F(RelayConfirmations, are_served_by_TLS_when_a_certificate_is_configured) {
  set_up_shop("points");
  insert_orders(1, 1);
  write_key("p1");
  const std::string make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
      path("tls.key") + " -out " + path("tls.crt") + " 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);
  start_relay({{"WAYBILL_CONFIRM_TLS_CERTIFICATE", path("tls.crt")},
               {"WAYBILL_CONFIRM_TLS_KEY", path("tls.key")}});
  ca_file_ = path("tls.crt");
  ASSERT_TRUE(url_.starts_with("https://")) << url_;
  EXPECT_EQ(confirm("A-1", key_), 200);
}

TEST_F(Relay, refuses_a_certificate_without_its_key) {
  set_up_shop("points");
  write("keys.toml", "[[key]]\nid = 'p1'\nconsumer = 'points'\nsecret = '0123456789abcdef0123'\n");
  const Answer run = waybill({"relay"}, {{"WAYBILL_CONFIRM_LISTEN", "127.0.0.1:0"},
                                         {"WAYBILL_CONFIRM_KEYS_FILE", path("keys.toml")},
                                         {"WAYBILL_CONFIRM_TLS_CERTIFICATE", path("tls.crt")}});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("confirm.tls_key"), std::string::npos) << run.err;
}

TEST_F(Relay, H9_refuses_to_read_confirmations_where_a_route_sends_messages) {
  set_up_shop("points");
  write("keys.toml", "[[key]]\nid = 'p1'\nconsumer = 'points'\nsecret = '0123456789abcdef0123'\n");
  const Variables keys = {{"WAYBILL_CONFIRM_KEYS_FILE", path("keys.toml")}};
  Variables shared = keys;
  shared["WAYBILL_CONFIRM_REPLY_DESTINATION"] = "orders";
  const Answer run = waybill({"relay"}, shared);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("confirm.reply_destination: 'orders' is where the route of"),
            std::string::npos)
      << run.err;
  Variables own = keys;
  own["WAYBILL_CONFIRM_REPLY_DESTINATION"] = "replies";
  const auto relay = start({"relay"}, own);
  EXPECT_TRUE(relay->wait_for_log("confirmations from destination 'replies'")) << relay->err();
  relay->send(SIGTERM);
  EXPECT_EQ(relay->wait().exit_code, 0);
}

TEST_F(Relay, refuses_to_start_without_usable_keys) {
  set_up_shop();
  const Answer run = waybill({"relay"}, {{"WAYBILL_CONFIRM_LISTEN", "127.0.0.1:0"},
                                         {"WAYBILL_CONFIRM_KEYS_FILE", path("missing.toml")}});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("missing.toml: no such file"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace waybill::cli
