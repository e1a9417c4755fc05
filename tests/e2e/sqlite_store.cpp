#include <sqlite3.h>

#include <stdexcept>

#include "shop_store.hpp"

namespace waybill::e2e {
namespace {

class SqliteStore final : public ShopStore {
 public:
  explicit SqliteStore(std::string folder) : folder_(std::move(folder)) {}

  std::string address(const std::string& database) const override {
    return folder_ + "/" + database + ".db";
  }
  std::string url(const std::string& database) const override {
    return "sqlite://" + address(database);
  }
  std::unique_ptr<SqlClient> connect(const std::string& url) const override {
    return open_sqlite(url.substr(url.find("://") + 3));
  }
  std::string client_command(const std::string& database) const override {
    return "sqlite3 -bail " + address(database);
  }
  std::string eight_column_table() const override {
    return "CREATE TABLE local_message (id INTEGER PRIMARY KEY AUTOINCREMENT,"
           " gmt_create TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),"
           " gmt_modified TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),"
           " message_type TEXT, biz_type TEXT, identifier TEXT, content TEXT,"
           " state TEXT DEFAULT 'INIT')";
  }
  std::string other_time_zone() const override { return ""; }

  // Somebody keeps the files for himself.
  void set_down(bool is_down) override {
    holders_.clear();
    if (!is_down) return;
    for (const char* database : {"orders", "points"}) {
      sqlite3* raw = nullptr;
      sqlite3_open(address(database).c_str(), &raw);
      holders_.emplace_back(raw, &sqlite3_close);
      sqlite3_busy_timeout(raw, 10000);
      if (sqlite3_exec(raw, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT", nullptr,
                       nullptr, nullptr) != SQLITE_OK) {
        throw std::runtime_error(sqlite3_errmsg(raw));
      }
    }
  }

 private:
  using Holder = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

  const std::string folder_;
  std::vector<Holder> holders_;
};

}  // namespace

const char* const kStoreName = "sqlite";
const bool kStoreIsServer = false;

std::unique_ptr<ShopStore> make_shop_store(const std::string& folder, Host) {
  return std::make_unique<SqliteStore>(folder);
}

}  // namespace waybill::e2e
