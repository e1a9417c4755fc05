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

 private:
  const std::string folder_;
};

}  // namespace

const char* const kStoreName = "sqlite";
const bool kStoreIsServer = false;

std::unique_ptr<ShopStore> make_shop_store(const std::string& folder, Host) {
  return std::make_unique<SqliteStore>(folder);
}

}  // namespace waybill::e2e
