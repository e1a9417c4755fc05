#include "waybill/http/server.hpp"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>

#include "running_server.hpp"
#include "waybill/http/client.hpp"
#include "wire.hpp"

namespace waybill::http::testing {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post_of(std::size_t bytes) {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
         std::string(bytes, 'b');
}

TEST(Server, carries_everything_of_a_request_and_a_response) {
  Request seen;
  RunningServer running([&](const Request& request) {
    seen = request;
    return Response{.status = 201,
                    .content_type = "text/x-test",
                    .body = std::string("a\0\xff\r\n", 5),
                    .headers = {{"X-One", "1"}, {"X-Two", "a"}, {"X-Two", "b"}}};
  });
  Client client({.base_url = running.url()});
  const std::string body("b\0\r\n\r\n\xfe", 7);
  const auto response = client.send({"PATCH", "/a/b?c=d&e=%20", {{"X-Mine", "yes, it is"}}, body});
  ASSERT_TRUE(response.ok()) << response.error().to_string();
  EXPECT_EQ(seen.method, "PATCH");
  EXPECT_EQ(seen.target, "/a/b?c=d&e=%20");
  EXPECT_EQ(seen.body, body);
  const std::pair<std::string, std::string> mine{"X-Mine", "yes, it is"};
  EXPECT_NE(std::find(seen.headers.begin(), seen.headers.end(), mine), seen.headers.end());
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->content_type, "text/x-test");
  EXPECT_EQ(response->body, std::string("a\0\xff\r\n", 5));
  const Headers expected{{"X-One", "1"}, {"X-Two", "a"}, {"X-Two", "b"}};
  EXPECT_EQ(response->headers, expected);
}

TEST(Server, answers_one_connection_again_and_again_also_when_requests_come_at_once) {
  RunningServer running(echo);
  Wire wire = connect_to(running.port);
  wire.send(std::string(kGet) + post_of(3) + std::string(kGet));
  EXPECT_NE(wire.read_message().find("GET /a "), std::string::npos);
  EXPECT_NE(wire.read_message().find("POST / bbb"), std::string::npos);
  EXPECT_NE(wire.read_message().find("GET /a "), std::string::npos);
  wire.send(post_of(1));
  EXPECT_NE(wire.read_message().find("POST / b"), std::string::npos);
}

TEST(Server, closes_when_the_client_asks_for_it) {
  RunningServer running(echo);
  for (const char* last :
       {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    Wire wire = connect_to(running.port);
    wire.send(last);
    EXPECT_TRUE(wire.read_message().find(" 200 ") != std::string::npos) << last;
    EXPECT_TRUE(wire.is_closed()) << last;
  }
}

TEST(Server, answers_head_without_a_body_but_with_its_length) {
  RunningServer running([](const Request&) { return Response{.body = "12345"}; });
  Wire wire = connect_to(running.port);
  wire.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(wire.read_until("\r\n\r\n").find("Content-Length: 5\r\n"), std::string::npos);
  wire.send(kGet);
  EXPECT_TRUE(wire.read_message().starts_with("HTTP/1.1 200 "));
}

TEST(Server, tells_a_client_that_waits_for_it_to_continue) {
  RunningServer running(echo);
  Wire wire = connect_to(running.port);
  wire.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(wire.read_message(), "HTTP/1.1 100 Continue\r\n\r\n");
  wire.send("hi");
  EXPECT_NE(wire.read_message().find("POST / hi"), std::string::npos);
}

TEST(Server, limits_the_body_to_its_option) {
  RunningServer running(echo, {.body_bytes_max = 1000});
  Wire fits = connect_to(running.port);
  fits.send(post_of(1000));
  EXPECT_TRUE(fits.read_message().starts_with("HTTP/1.1 200 "));

  Wire declared = connect_to(running.port);
  declared.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
  const std::string refused = declared.read_message();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 ")) << refused;
  EXPECT_NE(refused.find("application/problem+json"), std::string::npos);
  EXPECT_NE(refused.find("at most 1000 bytes"), std::string::npos);
  EXPECT_TRUE(declared.is_closed());

  Wire chunked = connect_to(running.port);
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n" +
               std::string(600, 'a') + "\r\n258\r\n" + std::string(600, 'a') + "\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.read_message().starts_with("HTTP/1.1 413 "));
}

TEST(Server, a_client_that_sends_a_far_too_large_body_can_read_why_it_was_refused) {
  RunningServer running(echo, {.body_bytes_max = 1000});
  for (int i = 0; i < 5; ++i) {
    Wire wire = connect_to(running.port);
    EXPECT_TRUE(wire.send(post_of(std::size_t{16} << 20)));
    EXPECT_TRUE(wire.read_message().starts_with("HTTP/1.1 413 "));
  }
}

TEST(Server, limits_the_header_to_its_option) {
  RunningServer running(echo, {.header_bytes_max = 2000});
  const auto with_header = [](std::size_t bytes) {
    return "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(bytes, 'a') + "\r\n\r\n";
  };
  Wire fits = connect_to(running.port);
  fits.send(with_header(1800));
  EXPECT_TRUE(fits.read_message().starts_with("HTTP/1.1 200 "));

  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  while (many.size() < 2100) many += "A: b\r\n";
  many += "\r\n";
  std::string behind_a_chunk =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
  while (behind_a_chunk.size() < 2200) behind_a_chunk += "A: b\r\n";
  behind_a_chunk += "\r\n";
  const std::string endless_chunk =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;" +
      std::string(200'000, 'x');
  for (const std::string& large :
       {with_header(2100), many, behind_a_chunk, "GET /" + std::string(3000, 'a'), endless_chunk}) {
    Wire wire = connect_to(running.port);
    wire.send(large);
    EXPECT_TRUE(wire.read_message().starts_with("HTTP/1.1 431 ")) << large.substr(0, 80);
    EXPECT_TRUE(wire.is_closed());
  }
}

TEST(Server, limits_the_connections_to_its_option) {
  RunningServer running(echo, {.connections_max = 2});
  const auto served = [&] {
    Wire wire = connect_to(running.port);
    wire.send(kGet);
    return std::pair(wire.read_message(), std::move(wire));
  };
  auto first = served();
  const auto second = served();
  ASSERT_TRUE(first.first.starts_with("HTTP/1.1 200 "));
  ASSERT_TRUE(second.first.starts_with("HTTP/1.1 200 "));
  const auto third = served();
  EXPECT_TRUE(third.first.starts_with("HTTP/1.1 503 ")) << third.first;

  first.second.finish_sending();
  EXPECT_TRUE(first.second.is_closed());
  const auto until = std::chrono::steady_clock::now() + kPatience;
  std::string answer;
  while (!answer.starts_with("HTTP/1.1 200 ") && std::chrono::steady_clock::now() < until) {
    answer = served().first;
  }
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 "));
}

TEST(Server, hangs_up_without_an_answer_on_what_exceeds_the_limit_twice) {
  RunningServer running(echo, {.connections_max = 1});
  std::vector<Wire> open;
  std::string last;
  for (int i = 0; i < 4; ++i) {
    open.push_back(connect_to(running.port));
    open.back().send(kGet);
    last = open.back().read_message();
  }
  EXPECT_EQ(last, "");
}

TEST(Server, closes_a_connection_that_stays_idle) {
  RunningServer running(echo, {.read_timeout = Millis(100)});
  Wire silent = connect_to(running.port);
  EXPECT_TRUE(silent.is_closed());
  Wire answered = connect_to(running.port);
  answered.send(kGet);
  EXPECT_TRUE(answered.read_message().starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(answered.is_closed());
}

TEST(Server, a_request_that_trickles_in_is_not_waited_for) {
  RunningServer running(echo, {.read_timeout = Millis(200)});
  const auto started = std::chrono::steady_clock::now();
  for (const std::string begin :
       {"GET / HTTP/1.1\r\nA: ", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"}) {
    Wire wire = connect_to(running.port);
    bool is_open = wire.send(begin);
    // Each byte comes long before the time is over, the last one never.
    while (is_open && std::chrono::steady_clock::now() - started < kPatience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      is_open = wire.send("a");
    }
    EXPECT_FALSE(is_open) << begin;
  }
}

TEST(Server, an_exception_of_the_handler_is_a_500_without_details) {
  RunningServer running([](const Request& request) -> Response {
    if (request.target == "/int") throw 42;
    throw std::runtime_error("the password is swordfish");
  });
  Wire wire = connect_to(running.port);
  for (const char* target : {"/std", "/int", "/std"}) {
    wire.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = wire.read_message();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_EQ(answer.find("swordfish"), std::string::npos);
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos);
  }
  EXPECT_EQ(running.logged("swordfish"), 2U);
  EXPECT_EQ(running.logged("unknown type"), 1U);
}

TEST(Server, a_response_that_http_cannot_carry_is_a_500) {
  const std::vector<Response> unfit = {
      {.status = 0},
      {.status = 100},
      {.status = 600},
      {.status = 99999},
      {.status = 204, .body = "none is allowed"},
      {.content_type = "text/plain\r\nSet-Cookie: a=b"},
      {.headers = {{"Location", "/\r\nSet-Cookie: a=b"}}},
      {.headers = {{"Lo cation", "/"}}},
      {.headers = {{"", "/"}}},
      {.headers = {{std::string(70'000, 'a'), "/"}}},
      {.headers = {{"Content-Length", "7"}}},
  };
  std::atomic<std::size_t> next = 0;
  RunningServer running([&](const Request&) { return unfit.at(next++); });
  Wire wire = connect_to(running.port);
  for (std::size_t i = 0; i < unfit.size(); ++i) {
    wire.send(kGet);
    const std::string answer = wire.read_message();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << i << ": " << answer;
    EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
  }
  EXPECT_EQ(running.logged("cannot be sent"), unfit.size());
}

TEST(Server, a_status_without_a_body_is_sent_without_one) {
  RunningServer running([](const Request&) { return Response{.status = 204}; });
  Wire wire = connect_to(running.port);
  wire.send(std::string(kGet) + std::string(kGet));
  for (int i = 0; i < 2; ++i) {
    const std::string answer = wire.read_until("\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 204 ")) << answer;
    EXPECT_EQ(answer.find("Content-"), std::string::npos) << answer;
  }
}

TEST(Server, refuses_other_than_loopback_addresses_unless_told) {
  for (const char* address : {"0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1"}) {
    Server server({.address = address}, echo);
    const auto started = server.start();
    ASSERT_FALSE(started.ok()) << address;
    EXPECT_EQ(started.error().remedy, Remedy::fix_call);
    EXPECT_NE(started.error().text.find(address), std::string::npos);
    EXPECT_NE(started.error().hint.find("allow_remote"), std::string::npos);
  }
  Server server({.address = "0.0.0.0", .allow_remote = true}, echo);
  EXPECT_TRUE(server.start().ok());
  EXPECT_TRUE(Server({.address = "127.0.0.2"}, echo).start().ok());
}

TEST(Server, refuses_what_is_no_address) {
  for (const char* address : {"", "localhost", "127.0.0.1:80", "1.2.3"}) {
    const auto started = Server({.address = address}, echo).start();
    ASSERT_FALSE(started.ok()) << address;
    EXPECT_EQ(started.error().remedy, Remedy::fix_call);
    EXPECT_FALSE(started.error().hint.empty());
  }
}

TEST(Server, says_when_the_port_is_taken_and_starts_once_it_is_free) {
  RunningServer first(echo);
  Server second({.port = first.port}, echo);
  const auto refused = second.start();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().remedy, Remedy::fix_call);
  EXPECT_NE(refused.error().text.find(std::to_string(first.port)), std::string::npos);
  EXPECT_NE(refused.error().hint.find("port"), std::string::npos);
  first.server.stop();
  const auto started = second.start();
  ASSERT_TRUE(started.ok()) << started.error().to_string();
  EXPECT_EQ(*started, first.port);
  EXPECT_FALSE(second.start().ok());
}

TEST(Server, stop_closes_connections_that_wait) {
  RunningServer running(echo, {.read_timeout = Millis(60'000)});
  Wire idle = connect_to(running.port);
  Wire kept = connect_to(running.port);
  Wire half = connect_to(running.port);
  kept.send(kGet);
  EXPECT_TRUE(kept.read_message().starts_with("HTTP/1.1 200 "));
  half.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Le");
  // Accepted in order, so that all are accepted once a later one is answered.
  Wire last = connect_to(running.port);
  last.send(kGet);
  last.read_message();
  const auto started = std::chrono::steady_clock::now();
  running.server.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - started, kPatience);
  for (Wire* wire : {&idle, &kept, &half, &last}) EXPECT_TRUE(wire->is_closed());
  EXPECT_THROW(connect_to(running.port), std::runtime_error);
  running.server.stop();
}

TEST(Server, stop_lets_a_running_handler_answer) {
  std::promise<void> entered;
  std::promise<void> go_on;
  RunningServer running([&](const Request&) {
    entered.set_value();
    go_on.get_future().wait();
    return Response{.body = std::string(std::size_t{4} << 20, 'a')};
  });
  Wire wire = connect_to(running.port);
  wire.send(kGet);
  entered.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { running.server.stop(); });
  // The port closes early in stop().
  const auto until = std::chrono::steady_clock::now() + kPatience;
  const auto is_listening = [&] {
    try {
      static_cast<void>(connect_to(running.port));
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  };
  while (is_listening() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  go_on.set_value();
  const std::string answer = wire.read_message();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 "));
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_GT(answer.size(), std::size_t{4} << 20);
  EXPECT_EQ(stopped.wait_for(kPatience), std::future_status::ready);
}

}  // namespace
}  // namespace waybill::http::testing
