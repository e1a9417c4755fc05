#include "waybill/http/client.hpp"

#include <gtest/gtest.h>

#include <future>

#include "base_url.hpp"
#include "running_server.hpp"
#include "wire.hpp"

namespace waybill::http::testing {
namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Reads a request whole and answers with the bytes.
ScriptedServer::Step answer_with(const std::string& bytes) {
  return [bytes](Wire& wire) {
    wire.read_message();
    wire.send(bytes);
  };
}

void answer_twice(Wire& wire) {
  for (int i = 0; i < 2; ++i) {
    wire.read_message();
    wire.send(kOk);
  }
}

Result<Response> send_to(const std::string& url, const Request& request = {"GET", "/"}) {
  Client client({.base_url = url});
  return client.send(request);
}

TEST(Client, keeps_its_connection) {
  ScriptedServer server({answer_twice, answer_twice});
  Client client({.base_url = server.url()});
  for (int i = 0; i < 2; ++i) {
    const auto response = client.send({"POST", "/", {}, "body"});
    ASSERT_TRUE(response.ok()) << response.error().to_string();
    EXPECT_EQ(response->body, "ok");
  }
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(Client, opens_a_connection_again_that_the_server_closed_meanwhile) {
  std::promise<void> closed;
  const auto answer_and_close = [&](Wire& wire) {
    answer_with(kOk)(wire);
    { const Wire closing(std::move(wire)); }
    closed.set_value();
  };
  ScriptedServer server({answer_and_close, answer_with(kOk)});
  Client client({.base_url = server.url()});
  ASSERT_TRUE(client.send({"GET", "/"}).ok());
  closed.get_future().wait();
  const auto response = client.send({"POST", "/", {}, "body"});
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(Client, works_over_a_restart_of_the_server) {
  auto running = std::make_unique<RunningServer>(echo);
  const std::uint16_t port = running->port;
  Client client({.base_url = running->url()});
  ASSERT_TRUE(client.send({"POST", "/"}).ok());
  running.reset();
  const auto refused = client.send({"POST", "/"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().remedy, Remedy::retry);
  RunningServer again(echo, {.port = port});
  EXPECT_TRUE(client.send({"POST", "/"}).ok());
}

// A server that takes a second request on a kept connection and dies of it.
std::vector<ScriptedServer::Step> dying_server() {
  const auto dies = [](Wire& wire) {
    wire.read_message();
    wire.send(kOk);
    wire.read_message();
  };
  return {dies, answer_with(kOk)};
}

TEST(Client, sends_an_idempotent_request_once_more_when_a_kept_connection_breaks) {
  ScriptedServer server(dying_server());
  Client client({.base_url = server.url()});
  ASSERT_TRUE(client.send({"GET", "/"}).ok());
  const auto response = client.send({"GET", "/"});
  EXPECT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(Client, does_not_send_a_post_twice_when_a_kept_connection_breaks) {
  ScriptedServer server(dying_server());
  Client client({.base_url = server.url()});
  ASSERT_TRUE(client.send({"GET", "/"}).ok());
  const auto response = client.send({"POST", "/", {}, "body"});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::look);
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(Client, no_connection_is_to_be_tried_again) {
  const std::string url = "http://127.0.0.1:" + std::to_string(unused_port());
  const auto response = send_to(url);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::retry);
  EXPECT_NE(response.error().text.find(url), std::string::npos);
  EXPECT_FALSE(response.error().hint.empty());
}

TEST(Client, a_lost_cut_or_senseless_answer_is_in_doubt) {
  const std::string answers[] = {
      "",
      "HTTP/1.1 200",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "SMTP ready\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      std::string(100'000, 'x'),
  };
  for (const std::string& answer : answers) {
    ScriptedServer server({answer_with(answer), answer_with(kOk)});
    const auto response = send_to(server.url());
    ASSERT_FALSE(response.ok()) << answer.substr(0, 100);
    EXPECT_EQ(response.error().remedy, Remedy::look) << answer.substr(0, 100);
    EXPECT_EQ(server.accepted(), 1U);
  }
}

TEST(Client, an_answer_above_the_limit_is_in_doubt) {
  ScriptedServer server({answer_with("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901"),
                         answer_with("HTTP/1.1 200 OK\r\n\r\n12345678901"),
                         answer_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567890")});
  Client client({.base_url = server.url(), .response_bytes_max = 10});
  for (int i = 0; i < 2; ++i) {
    const auto response = client.send({"GET", "/"});
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.error().remedy, Remedy::look);
  }
  EXPECT_TRUE(client.send({"GET", "/"}).ok());
}

TEST(Client, an_answer_that_does_not_come_in_time_is_in_doubt) {
  std::promise<void> over;
  ScriptedServer server({[&](Wire& wire) {
    wire.read_message();
    over.get_future().wait();
  }});
  Client client({.base_url = server.url(), .timeout = Millis(100)});
  const auto response = client.send({"GET", "/"});
  over.set_value();
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::look);
}

TEST(Client, an_answer_that_trickles_in_is_not_waited_for) {
  ScriptedServer server({[](Wire& wire) {
    wire.read_message();
    bool is_open = wire.send("HTTP/1.1 200 OK\r\nA: ");
    while (is_open) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      is_open = wire.send("a");
    }
  }});
  Client client({.base_url = server.url(), .timeout = Millis(200)});
  const auto response = client.send({"GET", "/"});
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().remedy, Remedy::look);
}

TEST(Client, drops_a_connection_with_bytes_that_no_request_asked_for) {
  const auto answer_and_more = [](Wire& wire) {
    answer_with(kOk + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")(wire);
    wire.read_rest();  // until the client closes
  };
  ScriptedServer server({answer_and_more, answer_with(kOk)});
  Client client({.base_url = server.url(), .timeout = Millis(2000)});
  for (int i = 0; i < 2; ++i) {
    const auto response = client.send({"POST", "/"});
    ASSERT_TRUE(response.ok()) << response.error().to_string();
    EXPECT_EQ(response->body, "ok");
  }
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(Client, reads_answers_of_every_framing) {
  const std::pair<std::string, std::string> answers[] = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "none"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"},
      {"HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"},
      {"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + kOk, "ok"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", ""},
  };
  for (const auto& [bytes, body] : answers) {
    ScriptedServer server({answer_with(bytes)});
    const auto response = send_to(server.url());
    ASSERT_TRUE(response.ok()) << bytes << response.error().to_string();
    EXPECT_EQ(response->body, body);
  }
}

TEST(Client, reads_the_answer_to_head_without_waiting_for_a_body) {
  ScriptedServer server({[](Wire& wire) {
    wire.read_message();
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    wire.read_message();
    wire.send(kOk);
  }});
  Client client({.base_url = server.url()});
  EXPECT_EQ(client.send({"HEAD", "/"})->body, "");
  EXPECT_EQ(client.send({"GET", "/"})->body, "ok");
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(Client, refuses_requests_that_would_become_others_on_the_wire) {
  RunningServer running(echo);
  const Request cases[] = {
      {"", "/"},
      {"GE T", "/"},
      {"GET\r\nA: b", "/"},
      {"GET", ""},
      {"GET", "a"},
      {"GET", "/a b"},
      {"GET", "/a\r\nA: b"},
      {"GET", "/", {{"A", "b\r\nC: d"}}},
      {"GET", "/", {{"A", std::string("b\0", 2)}}},
      {"GET", "/", {{"A:", "b"}}},
      {"GET", "/", {{"Content-Length", "5"}}},
      {"GET", "/", {{"transfer-encoding", "chunked"}}},
  };
  Client client({.base_url = running.url()});
  for (const Request& request : cases) {
    const auto response = client.send(request);
    ASSERT_FALSE(response.ok()) << request.method << request.target;
    EXPECT_EQ(response.error().remedy, Remedy::fix_call);
  }
  EXPECT_TRUE(client.send({"GET", "/"}).ok());
}

TEST(Client, refuses_urls_that_it_cannot_call_and_repeats_no_credentials) {
  for (const char* url : {"",
                          "127.0.0.1:80",
                          "ftp://a",
                          "http://",
                          "http://a/b",
                          "http://a?b",
                          "http://a#b",
                          "http://:80",
                          "http://a:",
                          "http://a:0",
                          "http://a:65536",
                          "http://a:80x",
                          "http://a:-1",
                          "http://a b",
                          "http://user:swordfish@host",
                          "http://[::1",
                          "http://[]",
                          "http://[a]b",
                          "HTTP://a",
                          "http://a\r\nB: c"}) {
    const auto response = send_to(url);
    ASSERT_FALSE(response.ok()) << url;
    EXPECT_EQ(response.error().remedy, Remedy::fix_call) << url;
    EXPECT_EQ(response.error().to_string().find("swordfish"), std::string::npos);
    EXPECT_FALSE(response.error().hint.empty());
  }
}

TEST(Client, takes_urls_apart) {
  const auto check = [](const char* url, const char* host, const char* port, bool tls) {
    const auto parsed = parse_base_url(url);
    ASSERT_TRUE(parsed.has_value()) << url;
    EXPECT_EQ(parsed->host, host) << url;
    EXPECT_EQ(parsed->port, port) << url;
    EXPECT_EQ(parsed->tls, tls) << url;
  };
  check("http://orders.example", "orders.example", "80", false);
  check("http://orders.example:8080/", "orders.example", "8080", false);
  check("https://127.0.0.1", "127.0.0.1", "443", true);
  check("https://[::1]:8443", "::1", "8443", true);
  check("http://[fe80::1]", "fe80::1", "80", false);
}

TEST(Client, calls_ipv6_addresses) {
  Server server({.address = "::1"}, echo);
  const auto port = server.start();
  if (!port) GTEST_SKIP() << port.error().to_string();
  EXPECT_TRUE(send_to("http://[::1]:" + std::to_string(*port)).ok());
}

}  // namespace
}  // namespace waybill::http::testing
