// The consumer on SQLite.
#include "consumer_store_suite.hpp"
#include "waybill/adopt/sqlite.hpp"
#include "waybill/stores/sqlite.hpp"

namespace waybill::inbox::testing {
namespace {

class SqlitePoints {
 public:
  class Connection {
   public:
    explicit Connection(const std::string& path) : owner_(open_sqlite(path)) {}
    [[nodiscard]] sqlite3*& handle() { return handle_; }

   private:
    Sqlite owner_;
    sqlite3* handle_ = owner_.get();
  };

  SqlitePoints() {
    (void)must(sqlite::apply_schema({.path = path_}, sqlite::SchemaPart::consumer));
    execute(open_sqlite(path_).get(), "CREATE TABLE effect(message_id TEXT NOT NULL)");
  }

  [[nodiscard]] Connection connect() const { return Connection(path_); }
  [[nodiscard]] std::unique_ptr<InboxStore> open_store() const {
    return must(sqlite::open_inbox_store({.path = path_}));
  }
  [[nodiscard]] std::int64_t number(const std::string& sql) const {
    return testing::number(path_, sql);
  }

 private:
  ScratchFolder folder_;
  std::string path_ = folder_.file("points.db");
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, InboxOnDatabase, SqlitePoints);

}  // namespace waybill::inbox::testing
