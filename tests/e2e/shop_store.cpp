#include "shop_store.hpp"

#include <sqlite3.h>

#include <stdexcept>

namespace waybill::e2e {
namespace {

// Opens the file for each query: it may have been replaced since the last.
class SqliteClient final : public SqlClient {
 public:
  explicit SqliteClient(std::string file) : file_(std::move(file)) {}

  std::vector<std::string> query(const std::string& statements) override {
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open(file_.c_str(), &raw);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(raw, &sqlite3_close);
    if (opened != SQLITE_OK) throw std::runtime_error("cannot open " + file_);
    sqlite3_busy_timeout(raw, 10000);
    std::vector<std::string> first_column;
    const auto collect = [](void* out, int, char** values, char**) {
      static_cast<std::vector<std::string>*>(out)->emplace_back(values[0] == nullptr ? ""
                                                                                     : values[0]);
      return 0;
    };
    if (sqlite3_exec(raw, statements.c_str(), collect, &first_column, nullptr) != SQLITE_OK) {
      throw std::runtime_error(std::string(sqlite3_errmsg(raw)) + ": " + statements);
    }
    return first_column;
  }

 private:
  const std::string file_;
};

}  // namespace

std::unique_ptr<SqlClient> open_sqlite(const std::string& file) {
  return std::make_unique<SqliteClient>(file);
}

std::string with_user(const std::string& url, const std::string& user) {
  const std::size_t begin = url.find("://") + 3;
  return url.substr(0, begin) + user + url.substr(url.find('@'));
}

std::string with_port(const std::string& url, std::uint16_t port) {
  const std::size_t begin = url.rfind(':') + 1;
  return url.substr(0, begin) + std::to_string(port) + url.substr(url.find('/', begin));
}

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

}  // namespace waybill::e2e
