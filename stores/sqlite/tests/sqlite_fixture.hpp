// A SQLite database in a folder of its own, for tests.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "waybill/drivers/sqlite_busy_handler.hpp"
#include "waybill/stores/sqlite.hpp"
#include "waybill/testing/store_conformance.hpp"

namespace waybill::sqlite {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "waybill-store-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create " + pattern);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

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

class SqliteFixture final : public waybill::testing::StoreFixture {
 public:
  SqliteFixture() {
    for (const SchemaPart part : {SchemaPart::producer, SchemaPart::consumer}) {
      const auto applied = apply_schema(options(), part);
      if (!applied) throw std::runtime_error(applied.error().to_string());
    }
  }

  [[nodiscard]] Options options() const {
    Options options;
    options.path = folder_.file("shop.db");
    options.write_gap = Millis(0);
    return options;
  }

  std::unique_ptr<MessageStore> open_store() override {
    return opened(open_message_store(options()));
  }
  std::unique_ptr<InboxStore> open_inbox() override { return opened(open_inbox_store(options())); }
  void execute(const std::string& sql) override { PlainClient(options().path).query(sql); }
  std::vector<std::string> query(const std::string& sql) override {
    return PlainClient(options().path).query(sql);
  }
  void make_eight_column_table() override {
    execute(
        "DROP TABLE local_message; CREATE TABLE local_message (id INTEGER PRIMARY KEY, gmt_create "
        "TEXT, gmt_modified"
        " TEXT, message_type TEXT, biz_type TEXT, identifier TEXT, content TEXT, state TEXT)");
  }

 private:
  template <class T>
  static T opened(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    return std::move(*result);
  }

  ScratchFolder folder_;
};

}  // namespace waybill::sqlite
