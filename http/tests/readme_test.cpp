// The README's example, compiled and run.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "waybill/http/client.hpp"
#include "waybill/http/server.hpp"

namespace waybill::http {
namespace {

std::string read_without_spaces(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  std::string bytes = text.str();
  std::erase_if(bytes, [](char c) { return c == ' ' || c == '\n'; });
  return bytes;
}

TEST(Readme, its_example_gets_an_answer) {
  Server server({.port = 0}, [](const Request& request) {
    if (request.target != "/health") return problem(404, "Not found", "GET /health");
    return Response{.body = R"({"status":"up"})"};
  });
  const Result<std::uint16_t> port = server.start();
  if (!port) throw std::runtime_error(port.error().to_string());

  Client client({.base_url = "http://127.0.0.1:" + std::to_string(*port)});
  const Result<Response> response = client.send({.method = "GET", .target = "/health"});
  if (!response) throw std::runtime_error(response.error().to_string());

  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, R"({"status":"up"})");
  EXPECT_EQ(client.send({.method = "GET", .target = "/"})->status, 404);
}

TEST(Readme, its_example_is_this_one) {
  const std::string folder = WAYBILL_HTTP_FOLDER;
  const std::string readme = read_without_spaces(folder + "/README.md");
  const std::string begin = "```cpp";
  const std::size_t at = readme.find(begin);
  ASSERT_NE(at, std::string::npos);
  const std::size_t code = at + begin.size();
  const std::string example = readme.substr(code, readme.find("```", code) - code);
  ASSERT_FALSE(example.empty());
  const std::string here = read_without_spaces(folder + "/tests/readme_test.cpp");
  EXPECT_NE(here.find(example), std::string::npos) << example;
}

}  // namespace
}  // namespace waybill::http
