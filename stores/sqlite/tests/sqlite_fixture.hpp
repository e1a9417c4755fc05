// A SQLite database in a folder of its own, for tests.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../rules/tests/store_fixture.hpp"
#include "waybill/drivers/sqlite_busy_handler.hpp"
#include "waybill/stores/sqlite.hpp"
#include "waybill/testing/scratch_folder.hpp"

namespace waybill::sqlite {

using testing::ScratchFolder;

// A client that knows nothing of waybill.
class PlainClient {
 public:
  explicit PlainClient(const std::string& path) : db_(nullptr, &sqlite3_close) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open(path.c_str(), &raw);
    db_.reset(raw);
    if (code != SQLITE_OK) throw std::runtime_error("cannot open " + path);
    install_busy_handler(raw, Millis(10000));
  }

  std::vector<std::string> query(const std::string& sql) {
    std::vector<std::string> first_column;
    char* message = nullptr;
    const auto collect = [](void* out, int, char** values, char**) {
      static_cast<std::vector<std::string>*>(out)->emplace_back(values[0] == nullptr ? ""
                                                                                     : values[0]);
      return 0;
    };
    if (sqlite3_exec(db_.get(), sql.c_str(), collect, &first_column, &message) != SQLITE_OK) {
      const std::string text = message == nullptr ? "" : message;
      sqlite3_free(message);
      throw std::runtime_error(text + ": " + sql);
    }
    return first_column;
  }

  [[nodiscard]] sqlite3* handle() { return db_.get(); }

 private:
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db_;
};

// A file of its own.
class ScratchDatabase {
 public:
  [[nodiscard]] Options options() const {
    Options options;
    options.path = folder_.file("shop.db");
    options.write_gap = Millis(0);
    return options;
  }
  std::vector<std::string> query(const std::string& sql) const {
    return PlainClient(options().path).query(sql);
  }

 private:
  ScratchFolder folder_;
};

class SqliteFixture final : public store::Fixture<ScratchDatabase> {
 public:
  void make_eight_column_table() override {
    execute(
        "DROP TABLE local_message; CREATE TABLE local_message (id INTEGER PRIMARY KEY, gmt_create "
        "TEXT, gmt_modified"
        " TEXT, message_type TEXT, biz_type TEXT, identifier TEXT, content TEXT, state TEXT)");
  }
};

}  // namespace waybill::sqlite
