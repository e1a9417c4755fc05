// Every program of the folder places an order with its message; the guide quotes what runs here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "mariadb_shop.hpp"
#include "postgres_shop.hpp"
#include "sqlite_shop.hpp"

namespace waybill::testing {
namespace {

// The programs that were built: what CMake found decides.
const std::string kPrograms = PROGRAMS;

class YourOwnConnection : public ::testing::Test {
 protected:
  static bool is_built(const std::string& program) {
    return std::filesystem::exists(kPrograms + "/" + program);
  }
  static int place(const std::string& program, const std::string& database) {
    const std::string command = kPrograms + "/" + program + " '" + database + "' ";
    return std::system((command + "A-17").c_str());
  }
  // The first time both are written, the second time neither.
  template <class Shop>
  static void expect_order_and_message(Shop& shop, const std::string& program,
                                       const std::string& database) {
    EXPECT_EQ(place(program, database), 0);
    EXPECT_NE(place(program, database), 0) << "the order is there already";
    EXPECT_EQ(shop.count("orders"), 1);
    EXPECT_EQ(shop.count("local_message WHERE identifier = 'A-17' AND state = 'INIT'"), 1);
  }
  static mariadb::Address parts_of(const PostgresShop& shop) {
    return mariadb::parse_url("mariadb" + shop.url().substr(shop.url().find(':'))).value();
  }
};

TEST_F(YourOwnConnection, sqlite) {
  SqliteShop shop;
  expect_order_and_message(shop, "with_sqlite", shop.path());
}

TEST_F(YourOwnConnection, libpq_and_rendered_sql) {
  for (const std::string program : {"with_libpq", "with_rendered_sql"}) {
    PostgresShop shop;
    expect_order_and_message(shop, program, shop.url());
  }
}

TEST_F(YourOwnConnection, libpqxx) {
  if (!is_built("with_libpqxx")) GTEST_SKIP() << "libpqxx is not installed";
  PostgresShop shop;
  expect_order_and_message(shop, "with_libpqxx", shop.url());
}

TEST_F(YourOwnConnection, soci) {
  if (!is_built("with_soci")) GTEST_SKIP() << "SOCI is not installed";
  PostgresShop shop;
  const auto parts = parts_of(shop);
  expect_order_and_message(shop, "with_soci",
                           "host=" + parts.host + " port=" + std::to_string(parts.port) +
                               " user=" + parts.user + " dbname=" + parts.database);
}

TEST_F(YourOwnConnection, libmariadb_and_qt) {
  for (const std::string program : {"with_libmariadb", "with_qt"}) {
    if (!is_built(program)) continue;
    MariadbShop shop;
    const auto parts = shop.address();
    expect_order_and_message(
        shop, program,
        parts.host + ":" + std::to_string(parts.port) + ":" + parts.user + ":" + parts.database);
  }
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Line by line without indentation, so that a quotation may be moved to the left.
std::string flattened(const std::string& text) {
  std::istringstream lines(text);
  std::string flat;
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, line.find_first_not_of(' '));
    flat += line + "\n";
  }
  return flat;
}

TEST(UseYourOwnConnection, the_guide_quotes_the_programs) {
  const std::filesystem::path root = SOURCES;
  std::string programs;
  for (const auto& entry :
       std::filesystem::directory_iterator(root / "examples/your_own_connection"))
    if (entry.is_regular_file()) programs += flattened(text_of(entry.path()));
  for (const std::string guide :
       {"use-your-own-connection.md", "use-your-own-connection.zh-CN.md"}) {
    const std::string text = text_of(root / "docs/how-to" / guide);
    const std::string begin = "```cpp\n";
    int quotations = 0;
    for (std::size_t at = text.find(begin); at != text.npos; at = text.find(begin, at + 1)) {
      const std::size_t start = at + begin.size();
      const std::string quoted = text.substr(start, text.find("```", start) - start);
      EXPECT_NE(programs.find(flattened(quoted)), programs.npos) << guide << ":\n" << quoted;
      ++quotations;
    }
    EXPECT_GE(quotations, 7) << guide;
  }
}

}  // namespace
}  // namespace waybill::testing
