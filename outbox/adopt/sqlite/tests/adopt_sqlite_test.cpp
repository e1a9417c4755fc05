// The caller's own sqlite3*, on a real file.
#include "adopted_connection_suite.hpp"
#include "sqlite_shop.hpp"

namespace waybill::testing {

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AdoptedConnection, SqliteShop);

}  // namespace waybill::testing
