#include "mariadb_fixture.hpp"

namespace waybill::testing {
namespace {

class MariadbServer final : public store::FixtureServer<mariadb::MariadbFixture> {
 public:
  using FixtureServer::FixtureServer;

  void end_sessions() override {
    for (const std::string& id : database().query("SELECT ID" + kSessions)) {
      database().execute("KILL " + id);
    }
  }
  int running_statements() override {
    return std::stoi(
        database().query("SELECT COUNT(*)" + kSessions + " AND COMMAND <> 'Sleep'").at(0));
  }
  std::string lock_timeout_code() const override { return "1205"; }
  std::string end_of_mark() const override { return "COMMIT"; }
  // SLEEP() would end by itself when its client has gone.
  void make_updates_slow() override {
    database().execute(
        "CREATE TRIGGER slow BEFORE UPDATE ON local_message FOR EACH ROW"
        " DO BENCHMARK(1000000000, SHA2('x', 512))");
  }
  void make_reads_repeatable() override {}  // they are

 private:
  // The store's, and that of execute_beside().
  const std::string kSessions =
      " FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
};

INSTANTIATE_TEST_SUITE_P(Mariadb, StoreConformance,
                         ::testing::Values(StoreUnderTest{
                             "mariadb",
                             [] { return std::make_unique<mariadb::MariadbFixture>(); }}),
                         [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(Mariadb, ServerStoreConformance,
                         ::testing::Values(StoreServerUnderTest{
                             "mariadb",
                             [] { return std::make_unique<MariadbServer>(store::Host::shared); },
                             [] { return std::make_unique<MariadbServer>(store::Host::own); }}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace waybill::testing
