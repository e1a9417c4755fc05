// Bytes that are no request, or that a proxy could read in another way than this server.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "running_server.hpp"
#include "wire.hpp"

namespace waybill::http::testing {
namespace {

using std::string_literals::operator""s;

// A handler that no refused request may reach.
class Malformed : public ::testing::Test {
 protected:
  std::string exchange(const std::string& bytes) {
    Wire wire = connect_to(running_.port);
    wire.send(bytes);
    std::string answer = wire.read_message();
    if (!answer.empty() && !wire.is_closed()) answer = "(stays open) " + answer;
    return answer;
  }

  [[nodiscard]] bool is_alive() {
    Wire wire = connect_to(running_.port);
    wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return wire.read_message().starts_with("HTTP/1.1 200 ");
  }

  std::atomic<int> calls_ = 0;
  RunningServer running_{[this](const Request& request) {
                           ++calls_;
                           return echo(request);
                         },
                         {.body_bytes_max = 4096}};
};

TEST_F(Malformed, start_lines_and_headers_are_answered_400_and_closed) {
  const std::string cases[] = {
      "GARBAGE\r\n\r\n",
      "GET /\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
      "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
      "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
      "GET / XTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 GET / HTTP/1.1\r\n\r\n"s,
      "GET / HTTP/1.1\nHost: x\n\n",
      "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
      "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"s,
      "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"s,
      "GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"s,
      "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
      "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
  };
  for (const std::string& bytes : cases) {
    const std::string answer = exchange(bytes);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << bytes << "\n-> " << answer;
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(is_alive());
}

TEST_F(Malformed, two_readings_of_where_a_request_ends_are_refused) {
  constexpr const char* kInner = "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string headers[] = {
      "Content-Length: 4\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: chunked\r\nContent-Length: 4",
      "Content-Length: 4\r\nContent-Length: 5",
      "Content-Length: 4, 5",
      "Content-Length: -1",
      "Content-Length: +4",
      "Content-Length: 0x4",
      "Content-Length: 4 4",
      "Content-Length: 4;",
      "Content-Length: ",
      "Content-Length: four",
      "Content-Length: 18446744073709551616",
      "Content-Length: 99999999999999999999999",
      "Transfer-Encoding: gzip",
      "Transfer-Encoding: identity",
      "Transfer-Encoding: xchunked",
      "Transfer-Encoding: \"chunked\"",
      "Transfer-Encoding: chunked, gzip",
      "Transfer-Encoding: gzip, chunked",
      "Transfer-Encoding: chunked, chunked",
      "Transfer-Encoding: chunked;a=b",
      "Transfer-Encoding: \vchunked",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
      "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: gzip\r\nContent-Length: 4",
      "Transfer-Encoding:\r\nContent-Length: 4",
  };
  for (const std::string& header : headers) {
    const std::string answer =
        exchange("POST / HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n0\r\n\r\n" + kInner);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << header << "\n-> " << answer;
  }
  const std::string old =
      exchange("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_TRUE(old.starts_with("HTTP/1.1 400 ")) << old;
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(is_alive());
}

TEST_F(Malformed, chunks_that_do_not_add_up_are_refused) {
  const std::pair<std::string, int> cases[] = {
      {"zz\r\n", 400},
      {"-1\r\nabc", 400},
      {"+1\r\na\r\n0\r\n\r\n", 400},
      {"0x1\r\na\r\n0\r\n\r\n", 400},
      {"\r\n\r\n", 400},
      {"5\nhello\r\n0\r\n\r\n", 400},
      {"5\r\nhelloworld\r\n0\r\n\r\n", 400},
      {"5\r\nhello0\r\n\r\n", 400},
      {"FFFFFFFFFFFFFFFFF\r\n", 400},
      {"0\r\nContent-Length: 3\r\n\r\n", 400},
      {"0\r\nno colon\r\n\r\n", 400},
      {"FFFFFFFFFFFFFFFF\r\n", 413},
      {"1001\r\n", 413},
  };
  for (const auto& [chunks, status] : cases) {
    const std::string answer =
        exchange("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(status)))
        << chunks << "\n-> " << answer;
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(is_alive());
}

TEST_F(Malformed, a_folded_header_is_one_value_and_an_equal_length_twice_is_one_length) {
  const std::string folded = exchange("GET /f HTTP/1.0\r\nA: b\r\n Content-Length: 5\r\n\r\n");
  EXPECT_NE(folded.find("GET /f "), std::string::npos) << folded;
  const std::string twice = exchange(
      "POST /t HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n"
      "Content-Length: 2\r\n\r\nab");
  EXPECT_NE(twice.find("POST /t ab"), std::string::npos) << twice;
}

TEST_F(Malformed, a_client_that_leaves_in_the_middle_is_forgotten) {
  const std::string whole = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Wire wire = connect_to(running_.port);
    wire.send(whole.substr(0, size));
    wire.finish_sending();
    EXPECT_EQ(wire.read_rest(), "") << size;
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(is_alive());
}

TEST_F(Malformed, no_bytes_whatever_stop_the_server) {
  const char* given = std::getenv("WAYBILL_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("WAYBILL_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const auto draw = [&](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
  };
  const std::string templates[] = {
      "GET /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nA: b\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789",
      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
      "",
  };
  const std::string special = "\r\n\t \0:;,/0f-+\xff\x7f"s;
  for (int i = 0; i < 400; ++i) {
    std::string bytes = templates[draw(std::size(templates))];
    bytes += templates[draw(std::size(templates))];
    for (std::size_t edits = draw(8); edits > 0; --edits) {
      const std::size_t at = draw(bytes.size() + 1);
      const char byte = draw(2) == 0 ? special[draw(special.size())] : static_cast<char>(draw(256));
      if (draw(2) == 0 && at < bytes.size()) {
        bytes[at] = byte;
      } else if (draw(3) == 0) {
        bytes.resize(at);
      } else {
        bytes.insert(at, draw(3) + 1, byte);
      }
    }
    Wire wire = connect_to(running_.port);
    wire.send(bytes);
    wire.finish_sending();
    const std::string answer = wire.read_rest();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.")) << answer;
    if (i % 50 == 0) {
      ASSERT_TRUE(is_alive());
    }
  }
  EXPECT_TRUE(is_alive());
}

}  // namespace
}  // namespace waybill::http::testing
