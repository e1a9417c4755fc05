#include <gtest/gtest.h>

#include <memory>

#include "certificates.hpp"
#include "running_server.hpp"
#include "waybill/http/client.hpp"
#include "wire.hpp"

namespace waybill::http::testing {
namespace {

class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { authority_ = std::make_unique<Authority>(); }
  static void TearDownTestSuite() { authority_.reset(); }

  static std::string https(std::uint16_t port, const std::string& host = "127.0.0.1") {
    return "https://" + host + ":" + std::to_string(port);
  }

  // Sends one request to a server with such a certificate.
  static Result<Response> send(const TlsFiles& files, const std::string& ca_file,
                               const std::string& host = "127.0.0.1") {
    int calls = 0;
    RunningServer running(
        [&](const Request& request) {
          ++calls;
          return echo(request);
        },
        {.tls = files});
    Client client({.base_url = https(running.port, host), .ca_file = ca_file});
    auto response = client.send({"POST", "/", {}, "secret"});
    running.server.stop();
    EXPECT_EQ(calls, response.ok() ? 1 : 0);
    return response;
  }

  static void expect_refused(const Result<Response>& response, std::string_view why) {
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.error().remedy, Remedy::fix_call);
    EXPECT_NE(response.error().text.find(why), std::string::npos) << response.error().text;
    EXPECT_FALSE(response.error().hint.empty());
  }

  static std::unique_ptr<Authority> authority_;
};

std::unique_ptr<Authority> Tls::authority_;

TEST_F(Tls, carries_requests_over_one_kept_connection) {
  const std::string large(300'000, 'a');
  RunningServer running(echo, {.tls = authority_->issue("IP:127.0.0.1")});
  Client client({.base_url = https(running.port), .ca_file = authority_->certificate_file()});
  for (int i = 0; i < 3; ++i) {
    const auto response = client.send({"POST", "/a", {}, large});
    ASSERT_TRUE(response.ok()) << response.error().to_string();
    EXPECT_EQ(response->body, "POST /a " + large);
  }
}

TEST_F(Tls, accepts_a_certificate_for_the_host_s_name) {
  const auto response =
      send(authority_->issue("DNS:localhost"), authority_->certificate_file(), "localhost");
  EXPECT_TRUE(response.ok()) << response.error().to_string();
}

TEST_F(Tls, refuses_a_certificate_for_another_host) {
  const std::string& ca = authority_->certificate_file();
  expect_refused(send(authority_->issue("IP:127.0.0.9"), ca), "not accepted");
  expect_refused(send(authority_->issue("DNS:orders"), ca, "localhost"), "not accepted");
  // A name in the certificate does not vouch for an address.
  expect_refused(send(authority_->issue("DNS:localhost"), ca), "not accepted");
}

TEST_F(Tls, refuses_an_expired_certificate) {
  expect_refused(send(authority_->issue("IP:127.0.0.1", -1), authority_->certificate_file()),
                 "expired");
}

TEST_F(Tls, refuses_a_certificate_of_an_unknown_authority) {
  const Authority other;
  const TlsFiles files = authority_->issue("IP:127.0.0.1");
  expect_refused(send(files, other.certificate_file()), "issuer");
  expect_refused(send(files, ""), "issuer");
}

TEST_F(Tls, a_ca_file_that_cannot_be_read_is_named) {
  const TlsFiles files = authority_->issue("IP:127.0.0.1");
  for (const std::string& file :
       {std::string("/nowhere/ca.pem"), authority_->write("no-ca.pem", "no certificate")}) {
    expect_refused(send(files, file), file);
  }
}

TEST_F(Tls, plain_and_tls_do_not_talk_to_each_other) {
  RunningServer tls(echo, {.tls = authority_->issue("IP:127.0.0.1")});
  Client plain({.base_url = tls.url()});
  EXPECT_FALSE(plain.send({"GET", "/"}).ok());
  Wire wire = connect_to(tls.port);
  wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(wire.read_rest().find("200"), std::string::npos);

  RunningServer unencrypted(echo);
  Client client({.base_url = https(unencrypted.port), .ca_file = authority_->certificate_file()});
  const auto response = client.send({"GET", "/"});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::fix_call);
}

TEST_F(Tls, a_handshake_that_does_not_come_is_not_waited_for) {
  RunningServer running(echo,
                        {.read_timeout = Millis(100), .tls = authority_->issue("IP:127.0.0.1")});
  EXPECT_TRUE(connect_to(running.port).is_closed());
  ScriptedServer mute({[](Wire& wire) { wire.read_rest(); }});
  Client client({.base_url = https(mute.port()), .timeout = Millis(100)});
  const auto response = client.send({"GET", "/"});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::retry);
}

TEST_F(Tls, the_limits_hold_as_without_it) {
  RunningServer running(
      echo, {.connections_max = 1, .body_bytes_max = 10, .tls = authority_->issue("IP:127.0.0.1")});
  const ClientOptions options{.base_url = https(running.port),
                              .ca_file = authority_->certificate_file()};
  Client client(options);
  EXPECT_EQ(client.send({"POST", "/", {}, "0123456789"})->status, 200);
  Client second(options);
  const auto refused = second.send({"GET", "/"});
  EXPECT_TRUE(refused.ok() && refused->status == 503);
  EXPECT_EQ(client.send({"POST", "/", {}, "0123456789a"})->status, 413);
}

TEST_F(Tls, stop_closes_its_connections) {
  RunningServer running(echo,
                        {.read_timeout = Millis(60'000), .tls = authority_->issue("IP:127.0.0.1")});
  Client client({.base_url = https(running.port), .ca_file = authority_->certificate_file()});
  ASSERT_TRUE(client.send({"GET", "/"}).ok());
  Wire silent = connect_to(running.port);
  running.server.stop();
  EXPECT_TRUE(silent.is_closed());
  const auto response = client.send({"GET", "/"});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::retry);
}

TEST_F(Tls, the_server_names_the_file_that_it_cannot_use) {
  const TlsFiles good = authority_->issue("IP:127.0.0.1");
  const TlsFiles other = authority_->issue("IP:127.0.0.1");
  const std::string text = authority_->write("no-pem.pem", "no certificate");
  const std::pair<TlsFiles, std::string> cases[] = {
      {{"/nowhere/a.pem", good.key_file}, "/nowhere/a.pem"},
      {{good.certificate_file, "/nowhere/a.key"}, "/nowhere/a.key"},
      {{text, good.key_file}, text},
      {{good.certificate_file, text}, text},
      {{good.certificate_file, other.key_file}, other.key_file},
  };
  for (const auto& [files, name] : cases) {
    const auto started = Server({.tls = files}, echo).start();
    ASSERT_FALSE(started.ok()) << name;
    EXPECT_EQ(started.error().remedy, Remedy::fix_call);
    EXPECT_NE(started.error().text.find(name), std::string::npos) << started.error().text;
    EXPECT_FALSE(started.error().hint.empty());
  }
  EXPECT_TRUE(Server({.tls = good}, echo).start().ok());
}

}  // namespace
}  // namespace waybill::http::testing
